// What both versions of the orders service share, and the routes that were always fine.
const axios = require('axios');
const express = require('express');
const Redis = require('ioredis');
const knexFactory = require('knex');

const url = process.env.DATABASE_URL;
const knex = knexFactory({ client: 'mysql2', connection: url, pool: { min: 0, max: 10 } });
const redis = new Redis(process.env.REDIS_URL);
const partner = axios.create({ baseURL: process.env.PARTNER_URL, timeout: 10000 });

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const getJson = async (path) => (await partner.get(path)).data;

const healthy = express.Router();

healthy.get('/health/live', (req, res) => res.json({ status: 'up' }));

healthy.get('/health', async (req, res) => {
  await knex.raw('SELECT 1');
  res.json({ status: 'up' });
});

healthy.get('/users/:id', async (req, res) => {
  res.json(await knex('users').where({ id: req.params.id }).first('id', 'name', 'email'));
});

healthy.get('/users/:id/profile', async (req, res) => {
  const user = await knex('users').where({ id: req.params.id }).first('id', 'name', 'email');
  const [orders] = await knex('orders').where({ user_id: user.id }).count({ orders: '*' });
  const reviews = await knex('reviews').where({ user_id: user.id }).limit(3).select('id', 'rating');
  res.json({ user, orders, reviews });
});

healthy.get('/overview', async (req, res) => {
  const orders = await knex('orders').orderBy('created_at', 'desc').limit(5).select('id', 'total');
  const products = await knex('products').where({ category: 'category-3' }).limit(5).select('id', 'name');
  const reviews = await knex('reviews').where({ product_id: 14 }).count({ reviews: '*' });
  const tax = await knex('settings').where({ key: 'tax.rate' }).first('value');
  res.json({ orders, products, reviews, tax });
});

healthy.post('/checkout', async (req, res) => {
  const order = await knex.transaction(async (trx) => {
    const product = await trx('products').where({ id: req.body.productId }).first('id', 'price');
    await trx('stock').where({ product_id: product.id }).decrement('quantity', 1);
    const [id] = await trx('orders').insert({ user_id: req.body.userId, status: 'new', total: product.price, created_at: new Date() });
    await trx('order_items').insert({ order_id: id, product_id: product.id, quantity: 1, price: product.price });
    return { id };
  });
  res.status(201).json(order);
});

healthy.get('/orders/recent', async (req, res) => {
  const page = Number(req.query.page || 1);
  res.json(await knex('orders').orderBy('created_at', 'desc').limit(20).offset((page - 1) * 20).select('id', 'total'));
});

healthy.get('/orders/export', async (req, res) => {
  // Keyset pages: each needs the last id of the page before it.
  const rows = [];
  let last = 0;
  for (let page = 0; page < 6; page += 1) {
    const batch = await knex('orders').where('id', '>', last).orderBy('id').limit(500).select('id', 'total');
    if (batch.length === 0) break;
    last = batch[batch.length - 1].id;
    rows.push(...batch);
  }
  res.type('text/csv').send(rows.map((row) => `${row.id},${row.total}`).join('\n'));
});

healthy.post('/import/batch', async (req, res) => {
  const rows = Array.from({ length: 600 }, (_, i) => ({ actor: 1, action: 'import', detail: `row ${i}` }));
  await knex.batchInsert('audit_log', rows, 200);
  res.json({ imported: rows.length });
});

healthy.get('/notifications/poll', async (req, res) => {
  // A long poll: waits on a blocking list until something comes or three seconds are over.
  const subscriber = redis.duplicate();
  const message = await subscriber.blpop(`notifications:${req.query.user}`, 3);
  subscriber.disconnect();
  res.json({ message });
});

healthy.get('/orders/:id/failing', async (req, res) => {
  res.json(await knex('orders').where({ id: req.params.id }).first('id', 'no_such_column'));
});

healthy.get('/stock/:id/supplier', async (req, res) => {
  // Retries with back-off: the supplier refuses twice, then answers.
  for (let attempt = 0; ; attempt += 1) {
    try {
      res.json(await getJson(`/supplier/${req.params.id}`));
      return;
    } catch (error) {
      if (attempt === 3) throw error;
      await pause(50 * 2 ** attempt);
    }
  }
});

module.exports = { getJson, healthy, knex, knexFactory, partner, redis, url };
