// Version 1 of the features: as they are often first written.
const { Router } = require('express');
const mysql = require('mysql2/promise');
const { getJson, knex, knexFactory, partner, redis, url } = require('./shop');

const router = Router();
const invoices = knexFactory({ client: 'mysql2', connection: url, pool: { min: 0, max: 1 } });

router.get('/users/:id/orders', async (req, res) => {
  const orders = await knex('orders').where({ user_id: req.params.id });
  for (const order of orders) {
    order.items = await knex('order_items').where({ order_id: order.id });
  }
  res.json(orders);
});

router.get('/users', async (req, res) => {
  const users = await knex('users').orderBy('id').limit(Number(req.query.limit)).select('id', 'name');
  for (const user of users) user.orders = await knex('orders').where({ user_id: user.id }).select('id', 'total');
  res.json(users);
});

router.get('/feed', async (req, res) => {
  const users = await knex('users').orderBy('id').limit(30).select('id', 'name');
  res.json(await Promise.all(users.map(async (user) => ({ user, orders: await knex('orders').where('user_id', user.id).select('id', 'status') }))));
});

router.get('/tree', async (req, res) => {
  const users = await knex('users').orderBy('id').limit(3).select('id', 'name');
  for (const user of users) {
    user.orders = await knex('orders').where({ user_id: user.id }).limit(10).select('id');
    for (const order of user.orders) order.items = await knex('order_items').where({ order_id: order.id }).select('product_id', 'quantity');
  }
  res.json(users);
});

router.get('/activity', async (req, res) => {
  const users = await knex('users').orderBy('id').limit(20).select('id', 'name');
  for (const user of users) {
    [user.orders] = await knex('orders').where({ user_id: user.id }).count({ orders: '*' });
    user.reviews = await knex('reviews').where({ user_id: user.id }).limit(2).select('rating');
  }
  res.json(users);
});

router.get('/orders/:id/total', async (req, res) => {
  const items = await knex('order_items').where({ order_id: req.params.id }).select('price');
  let total = 0;
  for (const item of items) {
    // price, discount and delivery each ask for the tax rate again
    for (let part = 0; part < 3; part += 1) {
      const tax = await knex('settings').where({ key: 'tax.rate' }).first('value');
      total += item.price * tax.value;
    }
  }
  res.json({ total });
});

router.get('/banner', async (req, res) => {
  res.json(await knex('settings').where({ key: 'banner.text' }).first('value'));
});

router.get('/events/search', async (req, res) => {
  const [rows] = await knex.raw(
    'SELECT e.id, e.reference, e.amount, u.name FROM events e JOIN users u ON u.id = e.user_id WHERE lower(e.reference) LIKE ? OR lower(e.kind) LIKE ? OR lower(u.name) LIKE ?',
    Array(3).fill(`%${req.query.reference}%`));
  res.json(rows);
});

router.get('/events/recent', async (req, res) => {
  const [rows] = await knex.raw('SELECT kind, count(DISTINCT user_id) AS users FROM events WHERE created_at >= ? GROUP BY kind', [req.query.since]);
  res.json(rows);
});

router.get('/orders/:id/shipping', async (req, res) => {
  const order = await knex('orders').where({ id: req.params.id }).first('id');
  const rate = await getJson(`/shipping/${order.id % 6}`);
  const [{ items }] = await knex('order_items').where({ order_id: order.id }).count({ items: '*' });
  res.json({ cost: rate.cost * items });
});

router.get('/shipments/by-code', async (req, res) => {
  res.json(await knex('shipments').where({ tracking_code: req.query.code, state: 'moving' }).orderBy('created_at', 'desc').select('id', 'order_id', 'carrier', 'state'));
});

router.get('/events', async (req, res) => {
  res.json(await knex('events').orderBy('id').limit(50).offset((Number(req.query.page) - 1) * 50).select('id', 'kind', 'reference'));
});

router.get('/products', async (req, res) => {
  const products = await knex('products');
  res.json(products.slice(0, 50).map(({ id, name, price }) => ({ id, name, price })));
});

router.post('/audit', async (req, res) => {
  for (let i = 0; i < req.body.count; i += 1) {
    await knex('audit_log').insert({ actor: 7, action: 'login', detail: `event ${i}` });
  }
  res.status(201).json({ written: req.body.count });
});

router.get('/invoices/:id', async (req, res) => {
  const [rows] = await invoices.raw('SELECT count(*) AS parcels, max(created_at) AS last_sent FROM shipments WHERE order_id % 97 = ?', [req.params.id % 97]);
  res.json(rows[0]);
});

router.get('/orders/:id/status', async (req, res) => {
  const connection = await mysql.createConnection(url);
  const [rows] = await connection.execute('SELECT status FROM orders WHERE id = ?', [req.params.id]);
  await connection.end();
  res.json(rows[0]);
});

router.post('/orders', async (req, res) => {
  const [id] = await knex('orders').insert({ user_id: req.body.userId, status: 'new', total: 10, created_at: new Date() });
  await partner.post('/mail', { to: `user${req.body.userId}@shop.example`, subject: `Order ${id}` });
  res.status(201).json({ id });
});

router.get('/dashboard', async (req, res) => {
  const [sales] = await knex.raw("SELECT sum(amount) AS sales FROM events WHERE kind = 'sale' AND id <= 400000");
  const [shipments] = await knex.raw('SELECT state, count(*) AS shipments FROM shipments GROUP BY state');
  const [best] = await knex.raw('SELECT product_id, sum(quantity) AS sold FROM order_items GROUP BY product_id ORDER BY sold DESC LIMIT 5');
  const [ratings] = await knex.raw('SELECT p.category, avg(r.rating) AS rating FROM reviews r JOIN products p ON p.id = r.product_id JOIN seq_1_to_4 w GROUP BY p.category');
  res.json({ sales, shipments, best, ratings });
});

router.get('/quote', async (req, res) => {
  const weather = await getJson('/weather');
  const tariff = await getJson('/tariff');
  const traffic = await getJson('/traffic');
  const fuel = await getJson('/fuel');
  res.json({ price: weather.factor + tariff.factor + traffic.factor + fuel.factor });
});

router.get('/data-quality', async (req, res) => {
  const columns = await knex('information_schema.columns').where({ table_schema: 'shop' }).whereNotIn('table_name', ['events', 'shipments'])
    .select({ table: 'table_name', column: 'column_name' });
  const report = {};
  for (const { table, column } of columns) {
    const empty = await knex(table).whereNull(column).count({ empty: '*' });
    const distinct = await knex(table).countDistinct({ distinct: column });
    report[`${table}.${column}`] = { ...empty[0], ...distinct[0] };
  }
  res.json(report);
});

router.get('/revenue', async (req, res) => {
  const [rows] = await knex.raw('SELECT p.category, sum(e.amount) AS revenue FROM events e JOIN products p ON p.id = 1 + e.id % 3000 WHERE e.id <= 700000 GROUP BY p.category ORDER BY revenue DESC');
  res.json(rows);
});

router.get('/users/:id/wishlist', async (req, res) => {
  const rows = await knex('reviews').whereBetween('user_id', [Number(req.params.id), Number(req.params.id) + 1]).orderBy('id').limit(15).select('product_id');
  const wishes = [];
  for (const { product_id: id } of rows) wishes.push(await getJson(`/prices/${id}`));
  res.json(wishes);
});

router.get('/carts', async (req, res) => {
  const carts = [];
  for (let user = 1; user <= 30; user += 1) carts.push(await redis.get(`cart:${user}`));
  res.json(carts);
});

router.get('/products/:id/prices', async (req, res) => {
  const prices = [];
  for (const country of ['de', 'fr', 'it', 'es', 'pt']) {
    const rate = await getJson('/rates/eur');
    prices.push({ country, price: 10 * rate.rate });
  }
  res.json(prices);
});

module.exports = router;
