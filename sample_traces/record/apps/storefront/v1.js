// Version 1 of the features: as they are often first written.
const { Router } = require('express');
const { Client, Pool } = require('pg');
const { AuditLog, Order, OrderItem, Review, Setting, User, getJson, pool, postJson, pricesOf, redis, url } = require('./shop');

const router = Router();
const invoicePool = new Pool({ connectionString: url, max: 1, idleTimeoutMillis: 60000 });

router.get('/users/:id/orders', async (req, res) => {
  const orders = await Order.findAll({ where: { userId: req.params.id } });
  const result = [];
  for (const order of orders) {
    const items = await OrderItem.findAll({ where: { orderId: order.id } });
    result.push({ ...order.toJSON(), items });
  }
  res.json(result);
});

router.get('/users', async (req, res) => {
  const users = await User.findAll({ order: ['id'], limit: Number(req.query.limit) });
  for (const user of users) {
    user.dataValues.orders = await Order.findAll({ where: { userId: user.id } });
  }
  res.json(users);
});

router.get('/feed', async (req, res) => {
  const users = await User.findAll({ order: ['id'], limit: 30 });
  const feed = await Promise.all(users.map(async (user) => {
    const { rows } = await pool.query('SELECT id, status, total FROM orders WHERE user_id = $1', [user.id]);
    return { user: user.name, orders: rows };
  }));
  res.json(feed);
});

router.get('/tree', async (req, res) => {
  const users = await User.findAll({ order: ['id'], limit: 3 });
  const tree = [];
  for (const user of users) {
    const orders = await Order.findAll({ where: { userId: user.id }, limit: 10 });
    for (const order of orders) order.dataValues.items = await OrderItem.findAll({ where: { orderId: order.id } });
    tree.push({ user, orders });
  }
  res.json(tree);
});

router.get('/activity', async (req, res) => {
  const users = await User.findAll({ order: ['id'], limit: 20 });
  const activity = [];
  for (const user of users) {
    const orders = await Order.count({ where: { userId: user.id } });
    const reviews = await Review.findAll({ where: { userId: user.id }, limit: 2 });
    activity.push({ name: user.name, orders, reviews });
  }
  res.json(activity);
});

router.get('/orders/:id/total', async (req, res) => {
  const items = await OrderItem.findAll({ where: { orderId: req.params.id } });
  let total = 0;
  for (const item of items) {
    // price, discount and delivery each ask for the tax rate again
    for (let part = 0; part < 3; part += 1) {
      const tax = await Setting.findByPk('tax.rate');
      total += Number(item.price) * Number(tax.value);
    }
  }
  res.json({ total });
});

router.get('/banner', async (req, res) => {
  const { rows } = await pool.query("SELECT value FROM settings WHERE key = 'banner.text'");
  res.json(rows[0]);
});

router.get('/events/search', async (req, res) => {
  const { rows } = await pool.query(
    'SELECT e.id, e.reference, e.amount, u.name FROM events e JOIN users u ON u.id = e.user_id WHERE e.reference ILIKE $1', [`%${req.query.reference}%`]);
  res.json(rows);
});

router.get('/events/recent', async (req, res) => {
  const { rows } = await pool.query('SELECT kind, count(DISTINCT user_id) AS users FROM events WHERE created_at >= $1 GROUP BY kind', [req.query.since]);
  res.json(rows);
});

router.get('/orders/:id/shipping', async (req, res) => {
  const order = await Order.findByPk(req.params.id);
  const rate = await getJson(`/shipping/${order.id % 6}`);
  const items = await OrderItem.count({ where: { orderId: order.id } });
  res.json({ cost: rate.cost * items });
});

router.get('/shipments/by-code', async (req, res) => {
  const { rows } = await pool.query("SELECT id, order_id, carrier, state FROM shipments WHERE tracking_code = $1 AND state = 'moving' ORDER BY created_at DESC", [req.query.code]);
  res.json(rows);
});

router.get('/events', async (req, res) => {
  const page = Number(req.query.page);
  const { rows } = await pool.query(`SELECT id, kind, reference, amount FROM events ORDER BY id LIMIT 50 OFFSET ${(page - 1) * 50}`);
  res.json(rows);
});

router.get('/products', async (req, res) => {
  const { rows } = await pool.query('SELECT * FROM products');
  res.json(rows.slice(0, 50).map(({ id, name, price }) => ({ id, name, price })));
});

router.post('/audit', async (req, res) => {
  for (let i = 0; i < req.body.count; i += 1) {
    await AuditLog.create({ actor: 7, action: 'login', detail: `event ${i}` });
  }
  res.status(201).json({ written: req.body.count });
});

router.get('/invoices/:id', async (req, res) => {
  const { rows } = await invoicePool.query('SELECT count(*) AS parcels, max(created_at) AS last_sent FROM shipments WHERE order_id % 97 = $1', [req.params.id % 97]);
  res.json(rows[0]);
});

router.get('/orders/:id/status', async (req, res) => {
  const client = new Client({ connectionString: url });
  await client.connect();
  const { rows } = await client.query('SELECT status FROM orders WHERE id = $1', [req.params.id]);
  await client.end();
  res.json(rows[0]);
});

router.post('/orders', async (req, res) => {
  const order = await Order.create({ userId: req.body.userId, status: 'new', total: 10, createdAt: new Date() });
  await postJson('/mail', { to: `user${req.body.userId}@shop.example`, subject: `Order ${order.id}` });
  res.status(201).json(order);
});

router.get('/dashboard', async (req, res) => {
  const sales = await pool.query("SELECT sum(amount) AS sales FROM events WHERE kind = 'sale' AND id <= 700000");
  const shipments = await pool.query('SELECT state, count(*) AS shipments FROM shipments GROUP BY state');
  const best = await pool.query('SELECT product_id, sum(quantity) AS sold FROM order_items GROUP BY product_id ORDER BY sold DESC LIMIT 5');
  const ratings = await pool.query('SELECT p.category, avg(r.rating) AS rating FROM reviews r JOIN products p ON p.id = r.product_id, generate_series(1, 6) AS week GROUP BY p.category');
  res.json({ sales: sales.rows, shipments: shipments.rows, best: best.rows, ratings: ratings.rows });
});

router.get('/quote', async (req, res) => {
  const weather = await getJson('/weather');
  const tariff = await getJson('/tariff');
  const traffic = await getJson('/traffic');
  const fuel = await getJson('/fuel');
  res.json({ price: weather.factor + tariff.factor + traffic.factor + fuel.factor });
});

router.get('/data-quality', async (req, res) => {
  const { rows: columns } = await pool.query("SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public' AND table_name NOT IN ('events', 'shipments') ORDER BY 1, 2");
  const report = {};
  for (const { table_name: table, column_name: column } of columns) {
    const empty = await pool.query(`SELECT count(*) AS empty FROM "${table}" WHERE "${column}" IS NULL`);
    const distinct = await pool.query(`SELECT count(DISTINCT "${column}") AS distinct FROM "${table}"`);
    report[`${table}.${column}`] = { ...empty.rows[0], ...distinct.rows[0] };
  }
  res.json(report);
});

router.get('/revenue', async (req, res) => {
  const { rows } = await pool.query(
    'SELECT p.category, sum(e.amount) AS revenue FROM events e JOIN products p ON p.id = 1 + e.id % 3000 GROUP BY p.category ORDER BY revenue DESC');
  res.json(rows);
});

router.get('/users/:id/wishlist', async (req, res) => {
  const { rows } = await pool.query('SELECT product_id FROM reviews WHERE user_id BETWEEN $1 AND $1 + 1 ORDER BY id LIMIT 15', [Number(req.params.id)]);
  const wishes = [];
  for (const { product_id: id } of rows) wishes.push(await pricesOf(`/prices/${id}`));
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
