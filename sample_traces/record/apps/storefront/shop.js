// What both versions of the storefront share: connections, models, and the routes that were always fine.
const express = require('express');
const Redis = require('ioredis');
const { Pool } = require('pg');
const { Sequelize, DataTypes, Op } = require('sequelize');

const url = process.env.DATABASE_URL;
const sequelize = new Sequelize(url, { logging: false, pool: { max: 10, idle: 60000 }, define: { timestamps: false, underscored: true } });
const pool = new Pool({ connectionString: url, max: 10, idleTimeoutMillis: 60000 });
const redis = new Redis(process.env.REDIS_URL);
const partner = process.env.PARTNER_URL;
const catalogue = process.env.CATALOGUE_URL || partner;

const User = sequelize.define('User', { id: { type: DataTypes.INTEGER, primaryKey: true }, name: DataTypes.TEXT, email: DataTypes.TEXT }, { tableName: 'users' });
const Order = sequelize.define('Order', { userId: DataTypes.INTEGER, status: DataTypes.TEXT, total: DataTypes.DECIMAL, createdAt: DataTypes.DATE }, { tableName: 'orders' });
const OrderItem = sequelize.define('OrderItem', { orderId: DataTypes.INTEGER, productId: DataTypes.INTEGER, quantity: DataTypes.INTEGER, price: DataTypes.DECIMAL }, { tableName: 'order_items' });
const Product = sequelize.define('Product', { sku: DataTypes.TEXT, name: DataTypes.TEXT, price: DataTypes.DECIMAL, category: DataTypes.TEXT }, { tableName: 'products' });
const Review = sequelize.define('Review', { userId: DataTypes.INTEGER, productId: DataTypes.INTEGER, rating: DataTypes.INTEGER, body: DataTypes.TEXT }, { tableName: 'reviews' });
const Setting = sequelize.define('Setting', { key: { type: DataTypes.TEXT, primaryKey: true }, value: DataTypes.TEXT }, { tableName: 'settings' });
const AuditLog = sequelize.define('AuditLog', { actor: DataTypes.INTEGER, action: DataTypes.TEXT, detail: DataTypes.TEXT }, { tableName: 'audit_log' });
const Stock = sequelize.define('Stock', { productId: { type: DataTypes.INTEGER, primaryKey: true }, quantity: DataTypes.INTEGER }, { tableName: 'stock' });
User.hasMany(Order, { foreignKey: 'userId' });
User.hasMany(Review, { foreignKey: 'userId' });
Order.belongsTo(User, { foreignKey: 'userId' });
Order.hasMany(OrderItem, { foreignKey: 'orderId' });

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

async function getJson(path, { base = partner, ...options } = {}) {
  const response = await fetch(base + path, options);
  if (!response.ok) throw new Error(`${path} answered ${response.status}`);
  return response.json();
}

function postJson(path, body) {
  return getJson(path, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });
}

const pricesOf = (path) => getJson(path, { base: catalogue });

const healthy = express.Router();

healthy.get('/health/live', (req, res) => res.json({ status: 'up' }));

healthy.get('/health', async (req, res) => {
  await pool.query('SELECT 1');
  res.json({ status: 'up' });
});

healthy.get('/users/:id', async (req, res) => {
  res.json(await User.findByPk(req.params.id));
});

healthy.get('/users/:id/profile', async (req, res) => {
  const user = await User.findByPk(req.params.id);
  const orders = await Order.count({ where: { userId: user.id } });
  const reviews = await Review.findAll({ where: { userId: user.id }, limit: 3 });
  res.json({ user, orders, reviews });
});

healthy.get('/products/:id', async (req, res) => {
  res.json(await pricesOf(`/prices/${req.params.id}`));
});

healthy.get('/overview', async (req, res) => {
  const orders = await Order.findAll({ order: [['createdAt', 'DESC']], limit: 5 });
  const products = await Product.findAll({ where: { category: 'category-3' }, limit: 5 });
  const reviews = await Review.count({ where: { productId: 14 } });
  const tax = await Setting.findByPk('tax.rate');
  res.json({ orders, products, reviews, tax });
});

healthy.post('/checkout', async (req, res) => {
  const order = await sequelize.transaction(async (transaction) => {
    const product = await Product.findByPk(req.body.productId, { transaction });
    await Stock.decrement('quantity', { by: 1, where: { productId: product.id }, transaction });
    const created = await Order.create({ userId: req.body.userId, status: 'new', total: product.price, createdAt: new Date() }, { transaction });
    await OrderItem.create({ orderId: created.id, productId: product.id, quantity: 1, price: product.price }, { transaction });
    return created;
  });
  res.status(201).json(order);
});

healthy.get('/orders/recent', async (req, res) => {
  const page = Number(req.query.page || 1);
  res.json(await Order.findAll({ order: [['createdAt', 'DESC']], limit: 20, offset: (page - 1) * 20 }));
});

healthy.get('/orders/export', async (req, res) => {
  // Keyset pages: each needs the last id of the page before it.
  const rows = [];
  let last = 0;
  for (let page = 0; page < 6; page += 1) {
    const batch = await Order.findAll({ where: { id: { [Op.gt]: last } }, order: [['id', 'ASC']], limit: 500 });
    if (batch.length === 0) break;
    last = batch[batch.length - 1].id;
    rows.push(...batch.map((order) => [order.id, order.total]));
  }
  res.type('text/csv').send(rows.map((row) => row.join(',')).join('\n'));
});

healthy.post('/import/batch', async (req, res) => {
  for (let chunk = 0; chunk < 3; chunk += 1) {
    const rows = Array.from({ length: 200 }, (_, i) => ({ actor: 1, action: 'import', detail: `row ${chunk * 200 + i}` }));
    await AuditLog.bulkCreate(rows, { returning: false });
  }
  res.json({ imported: 600 });
});

healthy.get('/notifications/poll', async (req, res) => {
  // A long poll: waits on a blocking list until something comes or three seconds are over.
  const subscriber = redis.duplicate();
  const message = await subscriber.blpop(`notifications:${req.query.user}`, 3);
  subscriber.disconnect();
  res.json({ message });
});

healthy.get('/orders/:id/failing', async (req, res) => {
  await pool.query('SELECT id, no_such_column FROM orders WHERE id = $1', [req.params.id]);
  res.json({});
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

module.exports = { AuditLog, Op, Order, OrderItem, Product, Review, Setting, User, getJson, healthy, pool, postJson, pricesOf, redis, sequelize, url };
