-- The shop's tables, filled with generated rows; what is missing here (an index on shipments.tracking_code,
-- on events.reference ...) is what version 1 of the applications suffers from.
set client_min_messages = warning;
create table users (id int primary key, name text not null, email text not null unique, bio text, created_at timestamptz not null);
insert into users select i, 'User ' || i, 'user' || i || '@shop.example', repeat('About me. ', 20), timestamptz '2026-01-01' + i * interval '1 hour'
from generate_series(1, 2000) i;

create table products (id int primary key, sku text not null, name text not null, price numeric(10, 2) not null, category text not null,
  description text not null, specs text not null);
insert into products select i, 'SKU-' || i, 'Product ' || i, (i % 500) + 0.99, 'category-' || i % 12, repeat('A fine product. ', 40), repeat('weight=1;', 60)
from generate_series(1, 3000) i;
create index on products (category);

create table orders (id serial primary key, user_id int not null references users, status text not null, total numeric(10, 2) not null,
  note text, created_at timestamptz not null);
insert into orders (user_id, status, total, note, created_at)
select 1 + i % 2000, (array['new', 'paid', 'sent', 'done'])[1 + i % 4], i % 900, 'leave at the door', timestamptz '2026-01-01' + i * interval '1 minute'
from generate_series(1, 40000) i;
create index on orders (user_id);
create index on orders (created_at);

create table order_items (id serial primary key, order_id int not null references orders, product_id int not null references products,
  quantity int not null, price numeric(10, 2) not null);
insert into order_items (order_id, product_id, quantity, price)
select 1 + i % 40000, 1 + (i * 7) % 3000, 1 + i % 3, i % 200 from generate_series(1, 120000) i;
create index on order_items (order_id);

create table reviews (id serial primary key, user_id int not null references users, product_id int not null references products,
  rating int not null, body text not null);
insert into reviews (user_id, product_id, rating, body)
select 1 + i % 2000, 1 + (i * 13) % 3000, 1 + i % 5, 'Would buy again' from generate_series(1, 20000) i;
create index on reviews (user_id);
create index on reviews (product_id);

create table settings (key text primary key, value text not null);
insert into settings select 'setting.' || i, 'value ' || i from generate_series(1, 50) i;
insert into settings values ('tax.rate', '0.20'), ('banner.text', 'Free delivery this week');

create table audit_log (id serial primary key, actor int not null, action text not null, detail text not null);
create table stock (product_id int primary key references products, quantity int not null);
insert into stock select id, 1000000 from products;

create table shipments (id serial primary key, order_id int not null, tracking_code text not null, carrier text not null, state text not null,
  created_at timestamptz not null);
insert into shipments (order_id, tracking_code, carrier, state, created_at)
select 1 + i % 40000, 'TRK' || lpad(i::text, 9, '0'), 'carrier-' || i % 6, (array['open', 'moving', 'delivered'])[1 + i % 3],
  timestamptz '2026-01-01' + i * interval '10 seconds' from generate_series(1, 400000) i;

create unlogged table events (id int primary key, user_id int not null, kind text not null, reference text not null, amount numeric(10, 2) not null,
  created_at timestamptz not null);
insert into events select i, 1 + i % 2000, (array['view', 'click', 'cart', 'sale'])[1 + i % 4], 'REF-' || md5(i::text), i % 1000,
  timestamptz '2026-01-01' + i * interval '5 seconds' from generate_series(1, 3000000) i;

create table revenue_by_category (category text primary key, revenue numeric not null);
analyze;
