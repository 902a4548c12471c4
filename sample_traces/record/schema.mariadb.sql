-- The shop's tables for MariaDB, filled from its sequence engine; the missing indexes are version 1's.
create table users (id int primary key, name varchar(100) not null, email varchar(200) not null unique, bio text, created_at datetime not null);
insert into users select seq, concat('User ', seq), concat('user', seq, '@shop.example'), repeat('About me. ', 20), '2026-01-01' + interval seq hour from seq_1_to_2000;

create table products (id int primary key, sku varchar(40) not null, name varchar(100) not null, price decimal(10, 2) not null, category varchar(40) not null,
  description text not null, specs text not null, key (category));
insert into products select seq, concat('SKU-', seq), concat('Product ', seq), seq mod 500 + 0.99, concat('category-', seq mod 12), repeat('A fine product. ', 40), repeat('weight=1;', 60) from seq_1_to_3000;

create table orders (id int auto_increment primary key, user_id int not null, status varchar(10) not null, total decimal(10, 2) not null, note varchar(200),
  created_at datetime not null, key (user_id), key (created_at));
insert into orders (user_id, status, total, note, created_at)
select 1 + seq mod 2000, elt(1 + seq mod 4, 'new', 'paid', 'sent', 'done'), seq mod 900, 'leave at the door', '2026-01-01' + interval seq minute from seq_1_to_40000;

create table order_items (id int auto_increment primary key, order_id int not null, product_id int not null, quantity int not null, price decimal(10, 2) not null, key (order_id));
insert into order_items (order_id, product_id, quantity, price) select 1 + seq mod 40000, 1 + (seq * 7) mod 3000, 1 + seq mod 3, seq mod 200 from seq_1_to_120000;

create table reviews (id int auto_increment primary key, user_id int not null, product_id int not null, rating int not null, body text not null, key (user_id), key (product_id));
insert into reviews (user_id, product_id, rating, body) select 1 + seq mod 2000, 1 + (seq * 13) mod 3000, 1 + seq mod 5, 'Would buy again' from seq_1_to_20000;

create table settings (`key` varchar(60) primary key, value varchar(200) not null);
insert into settings select concat('setting.', seq), concat('value ', seq) from seq_1_to_50;
insert into settings values ('tax.rate', '0.20'), ('banner.text', 'Free delivery this week');

create table audit_log (id int auto_increment primary key, actor int not null, action varchar(40) not null, detail varchar(200) not null);
create table stock (product_id int primary key, quantity int not null);
insert into stock select id, 1000000 from products;

create table shipments (id int auto_increment primary key, order_id int not null, tracking_code varchar(20) not null, carrier varchar(20) not null, state varchar(12) not null, created_at datetime not null);
insert into shipments (order_id, tracking_code, carrier, state, created_at)
select 1 + seq mod 40000, concat('TRK', lpad(seq, 9, '0')), concat('carrier-', seq mod 6), elt(1 + seq mod 3, 'open', 'moving', 'delivered'), '2026-01-01' + interval seq * 10 second from seq_1_to_400000;

create table events (id int primary key, user_id int not null, kind varchar(8) not null, reference varchar(40) not null, amount decimal(10, 2) not null, created_at datetime not null);
insert into events select seq, 1 + seq mod 2000, elt(1 + seq mod 4, 'view', 'click', 'cart', 'sale'), concat('REF-', md5(seq)), seq mod 1000, '2026-01-01' + interval seq * 3 second from seq_1_to_4000000;

create table revenue_by_category (category varchar(40) primary key, revenue decimal(16, 2) not null);
analyze table users, products, orders, order_items, reviews, shipments, events;
