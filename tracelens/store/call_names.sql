-- What the names of calls say of them, where spans say it nowhere else: guesses from words, kept in one place.

-- Whether a remote procedure reads, by the verb that its name begins with.
create or replace macro is_reading_procedure(method) as matches(
  method, '(?i)(^|[./])(get|list|find|search|query|read|fetch|describe|lookup|batchget)[^./]*$'
);

-- What reads many keys, or a part of a large one, in one command: repeats of it are batches already.
create or replace macro reads_in_bulk(command) as matches(
  command, '(?i)^(mget|(h|s|z)?scan|keys|xread|get_multi|getmulti|get_many|gets_many|json\.mget|pipeline)$'
);

-- Calls that answer when something happens, or keep on answering: their length is no slowness.
create or replace macro waits_by_design(name) as matches(
  name,
  '(?i)(long[-_]?poll|\bpoll(ing)?\b|\bwatch\b|\b(event-?)?stream(ing)?\b|/sse\b|\blisten\b|/_changes|getupdates|heartbeat'
  || '|websocket|/ws\b|[?&](wait|watch|follow)=)'
) or matches(name, '(^|[/.])(Watch|Stream|Subscribe|Listen|Receive|Poll|Tail|Follow)([A-Z]|$)');

-- One address or method for many different operations: repeats of it do not tell that one operation repeats.
create or replace macro is_multiplexed(name) as matches(
  name,
  '(?i)(graphql|\bgql\b|json-?rpc|/rpc\b|completions|/chat\b|converse|generatecontent|/batch\b|[/.]health(z|check)?(/|$))'
);

-- What nobody who asked waits for: mail, messages to people and to other systems, tracking.
create or replace macro names_message(name) as matches(
  name,
  '(?i)(e?-?mail|smtp|postmark|sendgrid|mandrill|newsletter|\bsend\b|send[-_]?(message|notification|sms|push)|\bsms\b|twilio'
  || '|\bpush\b|\bfcm\b|\bapns?\b|onesignal|notif(y|ication)|web-?hook|\bhooks?\b|slack|discord|analytics|\btrack(ing)?\b'
  || '|mixpanel|amplitude|audit|zapier)'
) and not matches(name, '(?i)(verif|validat|lookup|search|preview)');

-- Documents in the making, which take long and which most answers only need to promise.
create or replace macro names_document(name) as matches(
  name, '(?i)(pdf|render|thumbnail|transcode|report|receipt|invoice|\bexport\b)'
);

-- Calls whose result is the answer: who the user is, what a search or a model says, whether money moved.
create or replace macro names_needed_result(name) as matches(
  name,
  '(?i)(graphql|search|query|lookup|\btokens?\b|oauth|auth|login|session|verif|validat|pay|charge|stripe|adyen|refund|capture'
  || '|checkout|order|reserv|book|allocat|stock|quote|price|rates?\b|calculat|estimate|predict|infer|embed|completion|chat'
  || '|generate|convert|translat|upload|sign|/rpc\b)'
);

-- Calls that later ones need: they say who is asking.
create or replace macro names_login(name) as matches(name, '(?i)(token|auth|login|session)');

-- Spans of pools and of mappers' plumbing, which need not say what database they are about.
create or replace macro names_pool(name) as matches(name, '^(generic-pool|pool|pg-pool|sql|db)\.');
