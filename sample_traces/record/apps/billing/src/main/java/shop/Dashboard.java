package shop;

import java.util.Map;

/** The dashboard's four independent queries. */
final class Dashboard {
  static final Map<String, String> QUERIES = Map.of(
      "sales", "SELECT sum(amount) AS sales FROM events WHERE kind = 'sale' AND id <= 700000",
      "shipments", "SELECT state, count(*) AS shipments FROM shipments GROUP BY state",
      "best", "SELECT product_id, sum(quantity) AS sold FROM order_items GROUP BY product_id ORDER BY sold DESC LIMIT 5",
      "ratings", "SELECT p.category, avg(r.rating) AS rating FROM reviews r JOIN products p ON p.id = r.product_id, generate_series(1, 6) AS week GROUP BY p.category");

  private Dashboard() {}
}
