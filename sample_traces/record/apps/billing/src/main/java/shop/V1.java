package shop;

import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.springframework.beans.factory.annotation.Qualifier;
import org.springframework.beans.factory.annotation.Value;
import org.springframework.boot.autoconfigure.condition.ConditionalOnProperty;
import org.springframework.data.domain.Limit;
import org.springframework.data.domain.PageRequest;
import org.springframework.data.redis.core.StringRedisTemplate;
import org.springframework.http.HttpStatus;
import org.springframework.jdbc.core.JdbcTemplate;
import org.springframework.transaction.annotation.Transactional;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.PathVariable;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.RequestBody;
import org.springframework.web.bind.annotation.RequestParam;
import org.springframework.web.bind.annotation.ResponseStatus;
import org.springframework.web.bind.annotation.RestController;
import org.springframework.web.client.RestClient;

/** Version 1 of the features: as they are often first written. */
@RestController
@ConditionalOnProperty(name = "release", havingValue = "1")
public class V1 {
  private final JdbcTemplate jdbc;
  private final JdbcTemplate invoices;
  private final Model.Users users;
  private final Model.Orders orders;
  private final Model.Items items;
  private final Model.Reviews reviews;
  private final Model.Settings settings;
  private final Model.AuditLogs auditLogs;
  private final Model.Events events;
  private final StringRedisTemplate redis;
  private final RestClient partner;
  private final String url;

  V1(JdbcTemplate jdbc, @Qualifier("invoices") JdbcTemplate invoices, Model.Users users, Model.Orders orders, Model.Items items, Model.Reviews reviews,
      Model.Settings settings, Model.AuditLogs auditLogs, Model.Events events, StringRedisTemplate redis, RestClient partner, @Value("${spring.datasource.url}") String url) {
    this.jdbc = jdbc;
    this.invoices = invoices;
    this.users = users;
    this.orders = orders;
    this.items = items;
    this.reviews = reviews;
    this.settings = settings;
    this.auditLogs = auditLogs;
    this.events = events;
    this.redis = redis;
    this.partner = partner;
    this.url = url;
  }

  private Map<?, ?> getJson(String path) {
    return partner.get().uri(path).retrieve().body(Map.class);
  }

  private static double number(Object value) {
    return ((Number) value).doubleValue();
  }

  @GetMapping("/users/{id}/orders")
  @Transactional(readOnly = true)
  public Map<Integer, List<Integer>> userOrders(@PathVariable int id) {
    Map<Integer, List<Integer>> result = new LinkedHashMap<>();
    for (Model.Order order : orders.findByUserId(id)) {
      result.put(order.id, order.items.stream().map(item -> item.productId).toList());
    }
    return result;
  }

  @GetMapping("/users")
  @Transactional(readOnly = true)
  public Map<String, List<Integer>> users(@RequestParam int limit) {
    Map<String, List<Integer>> result = new LinkedHashMap<>();
    for (Model.User user : users.findAllByOrderById(Limit.of(limit))) {
      result.put(user.name, user.orders.stream().map(order -> order.id).toList());
    }
    return result;
  }

  @GetMapping("/tree")
  @Transactional(readOnly = true)
  public List<String> tree() {
    List<String> result = new ArrayList<>();
    for (Model.User user : users.findAllByOrderById(Limit.of(2))) {
      for (Model.Order order : user.orders) {
        for (Model.OrderItem item : order.items) result.add(user.name + "/" + order.id + "/" + item.productId);
      }
    }
    return result;
  }

  @GetMapping("/activity")
  Map<String, Object> activity() {
    Map<String, Object> result = new LinkedHashMap<>();
    for (Model.User user : users.findAllByOrderById(Limit.of(20))) {
      result.put(user.name, List.of(orders.countByUserId(user.id), reviews.findByUserId(user.id, Limit.of(2)).size()));
    }
    return result;
  }

  @GetMapping("/orders/{id}/total")
  Map<String, Object> total(@PathVariable int id) {
    double total = 0;
    for (Model.OrderItem item : items.findByOrderId(id)) {
      for (int part = 0; part < 3; part++) { // price, discount and delivery each ask for the tax rate again
        total += item.price.doubleValue() * Double.parseDouble(settings.findById("tax.rate").orElseThrow().value);
      }
    }
    return Map.of("total", total);
  }

  @GetMapping("/banner")
  Map<String, Object> banner() {
    return Map.of("banner", settings.findById("banner.text").orElseThrow().value);
  }

  @GetMapping("/events/search")
  List<Map<String, Object>> search(@RequestParam String reference) {
    return jdbc.queryForList("SELECT e.id, e.reference, e.amount, u.name FROM events e JOIN users u ON u.id = e.user_id WHERE e.reference ILIKE ?", "%" + reference + "%");
  }

  @GetMapping("/events/recent")
  List<Map<String, Object>> recent(@RequestParam String since) {
    return jdbc.queryForList("SELECT kind, count(DISTINCT user_id) AS users FROM events WHERE created_at >= ?::timestamptz GROUP BY kind", since);
  }

  @GetMapping("/orders/{id}/shipping")
  Map<String, Object> shipping(@PathVariable int id) {
    Model.Order order = orders.findById(id).orElseThrow();
    return Map.of("cost", number(getJson("/shipping/" + order.id % 6).get("cost")) * items.countByOrderId(id));
  }

  @GetMapping("/shipments/by-code")
  List<Map<String, Object>> byCode(@RequestParam String code) {
    return jdbc.queryForList("SELECT id, order_id, carrier, state FROM shipments WHERE tracking_code = ? AND state = 'moving' ORDER BY created_at DESC", code);
  }

  @GetMapping("/events")
  List<String> events(@RequestParam int page) {
    return events.findAllByOrderById(PageRequest.of(page - 1, 50)).stream().map(event -> event.reference).toList();
  }

  @GetMapping("/products")
  List<Object> products() {
    return jdbc.queryForList("SELECT * FROM products").stream().limit(50).map(row -> row.get("name")).toList();
  }

  @PostMapping("/audit")
  @ResponseStatus(HttpStatus.CREATED)
  Map<String, Object> audit(@RequestBody Map<String, Integer> wanted) {
    for (int i = 0; i < wanted.get("count"); i++) {
      Model.AuditLog row = new Model.AuditLog();
      row.actor = 7;
      row.action = "login";
      row.detail = "event " + i;
      auditLogs.save(row);
    }
    return Map.of("written", wanted.get("count"));
  }

  @GetMapping("/invoices/{id}")
  Map<String, Object> invoice(@PathVariable int id) {
    return invoices.queryForMap("SELECT count(*) AS parcels, max(created_at) AS last_sent FROM shipments WHERE order_id % 97 = ?", id % 97);
  }

  @GetMapping("/orders/{id}/status")
  Map<String, Object> status(@PathVariable int id) throws SQLException {
    try (Connection connection = DriverManager.getConnection(url, "shop", "");
        PreparedStatement statement = connection.prepareStatement("SELECT status FROM orders WHERE id = ?")) {
      statement.setInt(1, id);
      try (ResultSet rows = statement.executeQuery()) {
        rows.next();
        return Map.of("status", rows.getString(1));
      }
    }
  }

  @PostMapping("/orders")
  @ResponseStatus(HttpStatus.CREATED)
  Map<String, Object> create(@RequestBody Map<String, Integer> wanted) {
    Integer id = jdbc.queryForObject("INSERT INTO orders (user_id, status, total, created_at) VALUES (?, 'new', 10, now()) RETURNING id", Integer.class, wanted.get("userId"));
    partner.post().uri("/mail").body(Map.of("to", "user" + wanted.get("userId") + "@shop.example", "subject", "Order " + id)).retrieve().toBodilessEntity();
    return Map.of("id", id);
  }

  @GetMapping("/dashboard")
  Map<String, Object> dashboard() {
    Map<String, Object> result = new LinkedHashMap<>();
    Dashboard.QUERIES.forEach((name, sql) -> result.put(name, jdbc.queryForList(sql)));
    return result;
  }

  @GetMapping("/quote")
  Map<String, Object> quote() {
    return Map.of("price", List.of("/weather", "/tariff", "/traffic", "/fuel").stream().mapToDouble(path -> number(getJson(path).get("factor"))).sum());
  }

  @GetMapping("/revenue")
  List<Map<String, Object>> revenue() {
    return jdbc.queryForList("SELECT p.category, sum(e.amount) AS revenue FROM events e JOIN products p ON p.id = 1 + e.id % 3000 GROUP BY p.category ORDER BY revenue DESC");
  }

  @GetMapping("/users/{id}/wishlist")
  List<Object> wishlist(@PathVariable int id) {
    List<Object> wishes = new ArrayList<>();
    for (Model.Review review : reviews.findByUserIdBetweenOrderById(id, id + 1, Limit.of(15))) wishes.add(getJson("/prices/" + review.productId));
    return wishes;
  }

  @GetMapping("/carts")
  List<String> carts() {
    List<String> carts = new ArrayList<>();
    for (int user = 1; user <= 30; user++) carts.add(redis.opsForValue().get("cart:" + user));
    return carts;
  }

  @GetMapping("/products/{id}/prices")
  Map<String, Object> prices(@PathVariable int id) {
    Map<String, Object> prices = new LinkedHashMap<>();
    for (String country : List.of("de", "fr", "it", "es", "pt")) prices.put(country, 10 * number(getJson("/rates/eur").get("rate")));
    return prices;
  }
}
