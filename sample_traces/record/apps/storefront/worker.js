// Sends the mails that version 2 puts into a queue.
const Redis = require('ioredis');

const redis = new Redis(process.env.REDIS_URL);

async function work() {
  for (;;) {
    const job = await redis.blpop('mail', 2);
    if (job) await fetch(`${process.env.PARTNER_URL}/mail`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: job[1] });
  }
}

work();
process.once('SIGTERM', () => setTimeout(() => process.exit(0), 500)); // the SDK flushes meanwhile
