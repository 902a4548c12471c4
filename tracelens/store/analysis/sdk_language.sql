-- The language of the service that served a request.
select r.sdk_language
from requests as r
where r.trace_id = $trace_id and r.request_span_id = $request_span_id
