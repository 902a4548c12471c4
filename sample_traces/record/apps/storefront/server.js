// The storefront: Express, Sequelize and pg over PostgreSQL, ioredis, fetch. RELEASE picks the version of its features.
const express = require('express');
const { healthy } = require('./shop');

const app = express();
app.set('etag', false);
app.use(express.json());
app.use(require(process.env.RELEASE === '2' ? './v2' : './v1'));
app.use(healthy);
app.use((error, req, res, next) => {
  res.status(500).json({ error: error.message });
});
app.listen(Number(process.env.PORT), '127.0.0.1');
process.once('SIGTERM', () => setTimeout(() => process.exit(0), 500)); // the SDK flushes meanwhile
