// Version 2: the same routes put right, one for one.
const { Router } = require('express');
const DataLoader = require('dataloader');
const { getJson, knex, knexFactory, redis, url } = require('./shop');

const router = Router();
const invoices = knexFactory({ client: 'mysql2', connection: url, pool: { min: 0, max: 16 } });

function groupBy(rows, key) {
  const groups = new Map();
  for (const row of rows) groups.set(row[key], [...(groups.get(row[key]) || []), row]);
  return groups;
}

async function cached(key, seconds, load) {
  const hit = await redis.get(key);
  if (hit) return JSON.parse(hit);
  const value = await load();
  await redis.setex(key, seconds, JSON.stringify(value));
  return value;
}

router.get('/users/:id/orders', async (req, res) => {
  const orders = await knex('orders').where({ user_id: req.params.id });
  const items = groupBy(await knex('order_items').whereIn('order_id', orders.map((order) => order.id)), 'order_id');
  res.json(orders.map((order) => ({ ...order, items: items.get(order.id) })));
});

router.get('/users', async (req, res) => {
  const users = await knex('users').orderBy('id').limit(Number(req.query.limit)).select('id', 'name');
  const orders = groupBy(await knex('orders').whereIn('user_id', users.map((user) => user.id)).select('id', 'user_id', 'total'), 'user_id');
  res.json(users.map((user) => ({ ...user, orders: orders.get(user.id) })));
});

router.get('/feed', async (req, res) => {
  // A DataLoader turns the thirty loads of one tick into one query.
  const ordersOf = new DataLoader(async (ids) => {
    const orders = groupBy(await knex('orders').whereIn('user_id', ids).select('id', 'user_id', 'status'), 'user_id');
    return ids.map((id) => orders.get(id) || []);
  });
  const users = await knex('users').orderBy('id').limit(30).select('id', 'name');
  res.json(await Promise.all(users.map(async (user) => ({ user, orders: await ordersOf.load(user.id) }))));
});

router.get('/tree', async (req, res) => {
  const rows = await knex('orders').join('users', 'users.id', 'orders.user_id').join('order_items', 'order_items.order_id', 'orders.id')
    .where('users.id', '<=', 3).select('users.name', 'orders.id', 'order_items.product_id', 'order_items.quantity');
  res.json(rows);
});

router.get('/activity', async (req, res) => {
  const users = await knex('users').orderBy('id').limit(20).select('id', 'name');
  const ids = users.map((user) => user.id);
  const orders = await knex('orders').whereIn('user_id', ids).groupBy('user_id').select('user_id').count({ orders: '*' });
  const reviews = await knex('reviews').whereIn('user_id', ids).select('user_id', 'rating');
  res.json({ users, orders, reviews });
});

router.get('/orders/:id/total', async (req, res) => {
  const tax = await knex('settings').where({ key: 'tax.rate' }).first('value');
  const items = await knex('order_items').where({ order_id: req.params.id }).select('price');
  res.json({ total: items.reduce((sum, item) => sum + item.price * tax.value, 0) });
});

router.get('/banner', async (req, res) => {
  res.json(await cached('banner', 60, () => knex('settings').where({ key: 'banner.text' }).first('value')));
});

router.get('/events/search', async (req, res) => {
  const [rows] = await knex.raw('SELECT e.id, e.reference, e.amount, u.name FROM events e JOIN users u ON u.id = e.user_id WHERE e.reference = ?', [`REF-${req.query.reference}`]);
  res.json(rows);
});

router.get('/events/recent', async (req, res) => {
  const [rows] = await knex.raw('SELECT kind, count(DISTINCT user_id) AS users FROM events WHERE created_at >= ? AND created_at < ? + INTERVAL 1 HOUR GROUP BY kind', [req.query.since, req.query.since]);
  res.json(rows);
});

router.get('/orders/:id/shipping', async (req, res) => {
  // The carrier's rates are fetched by a timer; requests read the copy.
  const order = await knex('orders').where({ id: req.params.id }).first('id');
  const cost = await redis.hget('shipping:rates', String(order.id % 6));
  const [{ items }] = await knex('order_items').where({ order_id: order.id }).count({ items: '*' });
  res.json({ cost: Number(cost || 5) * items });
});

router.get('/shipments/by-code', async (req, res) => {
  // The query is the same; version 2 brought an index on (tracking_code, created_at).
  res.json(await knex('shipments').where({ tracking_code: req.query.code, state: 'moving' }).orderBy('created_at', 'desc').select('id', 'order_id', 'carrier', 'state'));
});

router.get('/events', async (req, res) => {
  res.json(await knex('events').where('id', '>', Number(req.query.after)).orderBy('id').limit(50).select('id', 'kind', 'reference'));
});

router.get('/products', async (req, res) => {
  res.json(await knex('products').orderBy('id').limit(50).select('id', 'name', 'price'));
});

router.post('/audit', async (req, res) => {
  const rows = Array.from({ length: req.body.count }, (_, i) => ({ actor: 7, action: 'login', detail: `event ${i}` }));
  await knex('audit_log').insert(rows);
  res.status(201).json({ written: rows.length });
});

router.get('/invoices/:id', async (req, res) => {
  const [rows] = await invoices.raw('SELECT count(*) AS parcels, max(created_at) AS last_sent FROM shipments WHERE order_id % 97 = ?', [req.params.id % 97]);
  res.json(rows[0]);
});

router.get('/orders/:id/status', async (req, res) => {
  res.json(await knex('orders').where({ id: req.params.id }).first('status'));
});

router.post('/orders', async (req, res) => {
  const [id] = await knex('orders').insert({ user_id: req.body.userId, status: 'new', total: 10, created_at: new Date() });
  await redis.rpush('mail', JSON.stringify({ to: `user${req.body.userId}@shop.example`, subject: `Order ${id}` }));
  res.status(201).json({ id });
});

router.get('/dashboard', async (req, res) => {
  const [[sales], [shipments], [best], [ratings]] = await Promise.all([
    knex.raw("SELECT sum(amount) AS sales FROM events WHERE kind = 'sale' AND id <= 400000"),
    knex.raw('SELECT state, count(*) AS shipments FROM shipments GROUP BY state'),
    knex.raw('SELECT product_id, sum(quantity) AS sold FROM order_items GROUP BY product_id ORDER BY sold DESC LIMIT 5'),
    knex.raw('SELECT p.category, avg(r.rating) AS rating FROM reviews r JOIN products p ON p.id = r.product_id JOIN seq_1_to_4 w GROUP BY p.category'),
  ]);
  res.json({ sales, shipments, best, ratings });
});

router.get('/quote', async (req, res) => {
  const [weather, tariff, traffic, fuel] = await Promise.all(['/weather', '/tariff', '/traffic', '/fuel'].map((path) => getJson(path)));
  res.json({ price: weather.factor + tariff.factor + traffic.factor + fuel.factor });
});

router.get('/data-quality', async (req, res) => {
  const columns = groupBy(await knex('information_schema.columns').where({ table_schema: 'shop' }).whereNotIn('table_name', ['events', 'shipments'])
    .select({ table: 'table_name', column: 'column_name' }), 'table');
  const report = {};
  for (const [table, names] of columns) {
    const query = knex(table).count({ total: '*' });
    for (const { column } of names) query.count({ [column]: column }).countDistinct({ [`distinct ${column}`]: column });
    [report[table]] = await query;
  }
  res.json(report);
});

router.get('/revenue', async (req, res) => {
  // A job refreshes the summary table every hour.
  res.json(await cached('revenue', 300, () => knex('revenue_by_category').orderBy('revenue', 'desc').select('category', 'revenue')));
});

router.get('/users/:id/wishlist', async (req, res) => {
  const rows = await knex('reviews').whereBetween('user_id', [Number(req.params.id), Number(req.params.id) + 1]).orderBy('id').limit(15).select('product_id');
  res.json(await getJson(`/prices?ids=${rows.map((row) => row.product_id).join(',')}`));
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
