// Version 2: the same routes put right, one for one.
const { Router } = require('express');
const DataLoader = require('dataloader');
const { Pool } = require('pg');
const { AuditLog, Op, Order, OrderItem, Review, Setting, User, getJson, pool, pricesOf, redis, url } = require('./shop');

const router = Router();
const invoicePool = new Pool({ connectionString: url, max: 16, idleTimeoutMillis: 60000 });

async function cached(key, seconds, load) {
  const hit = await redis.get(key);
  if (hit) return JSON.parse(hit);
  const value = await load();
  await redis.setex(key, seconds, JSON.stringify(value));
  return value;
}

router.get('/users/:id/orders', async (req, res) => {
  res.json(await Order.findAll({ where: { userId: req.params.id }, include: OrderItem }));
});

router.get('/users', async (req, res) => {
  res.json(await User.findAll({ order: ['id'], limit: Number(req.query.limit), include: { model: Order, separate: true } }));
});

router.get('/feed', async (req, res) => {
  // A DataLoader turns the thirty loads of one tick into one query.
  const ordersOf = new DataLoader(async (ids) => {
    const { rows } = await pool.query('SELECT id, user_id, status, total FROM orders WHERE user_id = ANY($1)', [ids]);
    return ids.map((id) => rows.filter((row) => row.user_id === id));
  });
  const users = await User.findAll({ order: ['id'], limit: 30 });
  res.json(await Promise.all(users.map(async (user) => ({ user: user.name, orders: await ordersOf.load(user.id) }))));
});

router.get('/tree', async (req, res) => {
  const users = await User.findAll({ order: ['id'], limit: 3, include: { model: Order, separate: true, include: OrderItem } });
  res.json(users);
});

router.get('/activity', async (req, res) => {
  const users = await User.findAll({ order: ['id'], limit: 20 });
  const ids = users.map((user) => user.id);
  const orders = await Order.count({ where: { userId: ids }, group: 'user_id' });
  const reviews = await Review.findAll({ where: { userId: { [Op.in]: ids } } });
  res.json({ users, orders, reviews });
});

router.get('/orders/:id/total', async (req, res) => {
  const tax = await Setting.findByPk('tax.rate');
  const items = await OrderItem.findAll({ where: { orderId: req.params.id } });
  res.json({ total: items.reduce((sum, item) => sum + Number(item.price) * Number(tax.value), 0) });
});

router.get('/banner', async (req, res) => {
  res.json(await cached('banner', 60, async () => {
    const { rows } = await pool.query("SELECT value FROM settings WHERE key = 'banner.text'");
    return rows[0];
  }));
});

router.get('/events/search', async (req, res) => {
  const { rows } = await pool.query(
    'SELECT e.id, e.reference, e.amount, u.name FROM events e JOIN users u ON u.id = e.user_id WHERE e.reference = $1', [`REF-${req.query.reference}`]);
  res.json(rows);
});

router.get('/events/recent', async (req, res) => {
  const { rows } = await pool.query('SELECT kind, count(DISTINCT user_id) AS users FROM events WHERE created_at >= $1 AND created_at < $1::timestamptz + interval \'1 hour\' GROUP BY kind', [req.query.since]);
  res.json(rows);
});

router.get('/orders/:id/shipping', async (req, res) => {
  // The carrier's rates are fetched by a timer; requests read the copy.
  const order = await Order.findByPk(req.params.id);
  const cost = await redis.hget('shipping:rates', String(order.id % 6));
  const items = await OrderItem.count({ where: { orderId: order.id } });
  res.json({ cost: Number(cost || 5) * items });
});

router.get('/shipments/by-code', async (req, res) => {
  // The query is the same; version 2 brought an index on (tracking_code, created_at).
  const { rows } = await pool.query("SELECT id, order_id, carrier, state FROM shipments WHERE tracking_code = $1 AND state = 'moving' ORDER BY created_at DESC", [req.query.code]);
  res.json(rows);
});

router.get('/events', async (req, res) => {
  const { rows } = await pool.query(`SELECT id, kind, reference, amount FROM events WHERE id > ${Number(req.query.after)} ORDER BY id LIMIT 50`);
  res.json(rows);
});

router.get('/products', async (req, res) => {
  const { rows } = await pool.query('SELECT id, name, price FROM products ORDER BY id LIMIT 50');
  res.json(rows);
});

router.post('/audit', async (req, res) => {
  const rows = Array.from({ length: req.body.count }, (_, i) => ({ actor: 7, action: 'login', detail: `event ${i}` }));
  await AuditLog.bulkCreate(rows, { returning: false });
  res.status(201).json({ written: rows.length });
});

router.get('/invoices/:id', async (req, res) => {
  const { rows } = await invoicePool.query('SELECT count(*) AS parcels, max(created_at) AS last_sent FROM shipments WHERE order_id % 97 = $1', [req.params.id % 97]);
  res.json(rows[0]);
});

router.get('/orders/:id/status', async (req, res) => {
  const { rows } = await pool.query('SELECT status FROM orders WHERE id = $1', [req.params.id]);
  res.json(rows[0]);
});

router.post('/orders', async (req, res) => {
  const order = await Order.create({ userId: req.body.userId, status: 'new', total: 10, createdAt: new Date() });
  await redis.rpush('mail', JSON.stringify({ to: `user${req.body.userId}@shop.example`, subject: `Order ${order.id}` }));
  res.status(201).json(order);
});

router.get('/dashboard', async (req, res) => {
  const [sales, shipments, best, ratings] = await Promise.all([
    pool.query("SELECT sum(amount) AS sales FROM events WHERE kind = 'sale' AND id <= 700000"),
    pool.query('SELECT state, count(*) AS shipments FROM shipments GROUP BY state'),
    pool.query('SELECT product_id, sum(quantity) AS sold FROM order_items GROUP BY product_id ORDER BY sold DESC LIMIT 5'),
    pool.query('SELECT p.category, avg(r.rating) AS rating FROM reviews r JOIN products p ON p.id = r.product_id, generate_series(1, 6) AS week GROUP BY p.category'),
  ]);
  res.json({ sales: sales.rows, shipments: shipments.rows, best: best.rows, ratings: ratings.rows });
});

router.get('/quote', async (req, res) => {
  const [weather, tariff, traffic, fuel] = await Promise.all(['/weather', '/tariff', '/traffic', '/fuel'].map((path) => getJson(path)));
  res.json({ price: weather.factor + tariff.factor + traffic.factor + fuel.factor });
});

router.get('/data-quality', async (req, res) => {
  const { rows: tables } = await pool.query("SELECT table_name, array_agg(column_name::text ORDER BY column_name) AS names FROM information_schema.columns WHERE table_schema = 'public' AND table_name NOT IN ('events', 'shipments') GROUP BY 1 ORDER BY 1");
  const report = {};
  for (const { table_name: table, names } of tables) {
    const { rows } = await pool.query(`SELECT count(*) AS total, ${names.map((name) => `count("${name}") AS "${name}", count(DISTINCT "${name}") AS "distinct ${name}"`).join(', ')} FROM "${table}"`);
    report[table] = rows[0];
  }
  res.json(report);
});

router.get('/revenue', async (req, res) => {
  // A job refreshes the summary table every hour.
  res.json(await cached('revenue', 300, async () => {
    const { rows } = await pool.query('SELECT category, revenue FROM revenue_by_category ORDER BY revenue DESC');
    return rows;
  }));
});

router.get('/users/:id/wishlist', async (req, res) => {
  const { rows } = await pool.query('SELECT product_id FROM reviews WHERE user_id BETWEEN $1 AND $1 + 1 ORDER BY id LIMIT 15', [Number(req.params.id)]);
  res.json(await pricesOf(`/prices?ids=${rows.map((row) => row.product_id).join(',')}`));
});

router.get('/carts', async (req, res) => {
  res.json(await redis.mget(Array.from({ length: 30 }, (_, i) => `cart:${i + 1}`)));
});

router.get('/carts/pipelined', async (req, res) => {
  const pipeline = redis.pipeline();
  for (let user = 1; user <= 30; user += 1) pipeline.get(`cart:${user}`);
  res.json(await pipeline.exec());
});

router.get('/products/:id/prices', async (req, res) => {
  const { rate } = await getJson('/rates/eur');
  res.json(['de', 'fr', 'it', 'es', 'pt'].map((country) => ({ country, price: 10 * rate })));
});

module.exports = router;
