package shop;

import java.time.OffsetDateTime;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.springframework.data.domain.Limit;
import org.springframework.data.domain.PageRequest;
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
import org.springframework.web.client.HttpServerErrorException;
import org.springframework.web.client.RestClient;

/** Routes that were always fine. */
@RestController
public class Healthy {
  private final JdbcTemplate jdbc;
  private final Model.Users users;
  private final Model.Orders orders;
  private final Model.Reviews reviews;
  private final Model.Products products;
  private final Model.Settings settings;
  private final RestClient partner;

  Healthy(JdbcTemplate jdbc, Model.Users users, Model.Orders orders, Model.Reviews reviews, Model.Products products, Model.Settings settings, RestClient partner) {
    this.jdbc = jdbc;
    this.users = users;
    this.orders = orders;
    this.reviews = reviews;
    this.products = products;
    this.settings = settings;
    this.partner = partner;
  }

  @GetMapping("/health/live")
  Map<String, String> live() {
    return Map.of("status", "up");
  }

  @GetMapping("/health")
  Map<String, String> health() {
    jdbc.queryForObject("SELECT 1", Integer.class);
    return Map.of("status", "up");
  }

  @GetMapping("/users/{id}")
  Map<String, Object> user(@PathVariable int id) {
    return Map.of("name", users.findById(id).orElseThrow().name);
  }

  @GetMapping("/users/{id}/profile")
  Map<String, Object> profile(@PathVariable int id) {
    return Map.of("name", users.findById(id).orElseThrow().name, "orders", orders.countByUserId(id), "reviews", reviews.findByUserId(id, Limit.of(3)));
  }

  @GetMapping("/overview")
  Map<String, Object> overview() {
    return Map.of(
        "orders", orders.findAllByOrderByCreatedAtDesc(PageRequest.of(0, 5)).size(),
        "products", products.findByCategory("category-3", Limit.of(5)),
        "reviews", reviews.countByProductId(14),
        "tax", settings.findById("tax.rate").orElseThrow().value);
  }

  @PostMapping("/checkout")
  @ResponseStatus(HttpStatus.CREATED)
  @Transactional
  public Map<String, Object> checkout(@RequestBody Map<String, Integer> wanted) {
    Model.Product product = products.findById(wanted.get("productId")).orElseThrow();
    jdbc.update("UPDATE stock SET quantity = quantity - 1 WHERE product_id = ?", product.id);
    Integer order = jdbc.queryForObject(
        "INSERT INTO orders (user_id, status, total, created_at) VALUES (?, 'new', ?, ?) RETURNING id", Integer.class, wanted.get("userId"), product.price, OffsetDateTime.now());
    jdbc.update("INSERT INTO order_items (order_id, product_id, quantity, price) VALUES (?, ?, 1, ?)", order, product.id, product.price);
    return Map.of("id", order);
  }

  @GetMapping("/orders/recent")
  List<Integer> recent(@RequestParam(defaultValue = "1") int page) {
    return orders.findAllByOrderByCreatedAtDesc(PageRequest.of(page - 1, 20)).stream().map(order -> order.id).toList();
  }

  @GetMapping("/orders/export")
  String export() {
    List<String> lines = new ArrayList<>();
    int last = 0;
    for (int page = 0; page < 6; page++) { // keyset pages: each needs the last id of the page before it
      List<Model.Order> batch = orders.findByIdGreaterThanOrderById(last, Limit.of(500));
      if (batch.isEmpty()) break;
      last = batch.get(batch.size() - 1).id;
      batch.forEach(order -> lines.add(order.id + "," + order.total));
    }
    return String.join("\n", lines);
  }

  @PostMapping("/import/batch")
  Map<String, Object> importBatch() {
    for (int chunk = 0; chunk < 3; chunk++) {
      List<Object[]> rows = IntStream.range(chunk * 200, chunk * 200 + 200).mapToObj(i -> new Object[] {1, "import", "row " + i}).toList();
      jdbc.batchUpdate("INSERT INTO audit_log (actor, action, detail) VALUES (?, ?, ?)", rows);
    }
    return Map.of("imported", 600);
  }

  @GetMapping("/orders/{id}/failing")
  Map<String, Object> failing(@PathVariable int id) {
    return jdbc.queryForMap("SELECT id, no_such_column FROM orders WHERE id = ?", id);
  }

  @GetMapping("/stock/{id}/supplier")
  Map<?, ?> supplier(@PathVariable int id) throws InterruptedException {
    for (int attempt = 0; ; attempt++) { // retries with back-off: the supplier refuses twice, then answers
      try {
        return partner.get().uri("/supplier/" + id).retrieve().body(Map.class);
      } catch (HttpServerErrorException error) {
        if (attempt == 3) throw error;
        Thread.sleep(50L << attempt);
      }
    }
  }
}
