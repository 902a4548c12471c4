package shop;

import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.springframework.beans.factory.annotation.Qualifier;
import org.springframework.boot.autoconfigure.condition.ConditionalOnProperty;
import org.springframework.data.domain.Limit;
import org.springframework.data.redis.core.RedisCallback;
import org.springframework.data.redis.core.StringRedisTemplate;
import org.springframework.http.HttpStatus;
import org.springframework.jdbc.core.JdbcTemplate;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.PathVariable;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.RequestBody;
import org.springframework.web.bind.annotation.RequestParam;
import org.springframework.web.bind.annotation.ResponseStatus;
import org.springframework.web.bind.annotation.RestController;
import org.springframework.web.client.RestClient;

/** Version 2: the same routes put right, one for one. */
@RestController
@ConditionalOnProperty(name = "release", havingValue = "2")
public class V2 {
  private final JdbcTemplate jdbc;
  private final JdbcTemplate invoices;
  private final Model.Users users;
  private final Model.Orders orders;
  private final Model.Items items;
  private final Model.Reviews reviews;
  private final Model.Settings settings;
  private final Model.Events events;
  private final StringRedisTemplate redis;
  private final RestClient partner;
  private final ExecutorService workers = Executors.newFixedThreadPool(8);

  V2(JdbcTemplate jdbc, @Qualifier("invoices") JdbcTemplate invoices, Model.Users users, Model.Orders orders, Model.Items items, Model.Reviews reviews,
      Model.Settings settings, Model.Events events, StringRedisTemplate redis, RestClient partner) {
    this.jdbc = jdbc;
    this.invoices = invoices;
    this.users = users;
    this.orders = orders;
    this.items = items;
    this.reviews = reviews;
    this.settings = settings;
    this.events = events;
    this.redis = redis;
    this.partner = partner;
  }

  private Map<?, ?> getJson(String path) {
    return partner.get().uri(path).retrieve().body(Map.class);
  }

  private String cached(String key, Supplier<String> load) {
    String hit = redis.opsForValue().get(key);
    if (hit == null) {
      hit = load.get();
      redis.opsForValue().set(key, hit, Duration.ofMinutes(5));
    }
    return hit;
  }

  private static double number(Object value) {
    return ((Number) value).doubleValue();
  }

  @GetMapping("/users/{id}/orders")
  Map<Integer, List<Integer>> userOrders(@PathVariable int id) {
    Map<Integer, List<Integer>> result = new LinkedHashMap<>();
    for (Model.Order order : orders.withItems(id)) result.put(order.id, order.items.stream().map(item -> item.productId).toList());
    return result;
  }

  @GetMapping("/users")
  Map<String, List<Integer>> users(@RequestParam int limit) {
    Map<String, List<Integer>> result = new LinkedHashMap<>();
    for (Model.User user : users.withOrders(limit)) result.put(user.name, user.orders.stream().map(order -> order.id).toList());
    return result;
  }

  @GetMapping("/tree")
  List<String> tree() {
    List<String> result = new ArrayList<>();
    for (Model.Order order : orders.ofFirstUsersWithItems(2)) {
      for (Model.OrderItem item : order.items) result.add(order.id + "/" + item.productId);
    }
    return result;
  }

  @GetMapping("/activity")
  Map<String, Object> activity() {
    List<Integer> ids = users.findAllByOrderById(Limit.of(20)).stream().map(user -> user.id).toList();
    List<Map<String, Object>> counts = jdbc.queryForList("SELECT user_id, count(*) AS orders FROM orders WHERE user_id <= ? GROUP BY user_id", ids.get(ids.size() - 1));
    return Map.of("orders", counts, "reviews", reviews.findByUserIdIn(ids).size());
  }

  @GetMapping("/orders/{id}/total")
  Map<String, Object> total(@PathVariable int id) {
    double tax = Double.parseDouble(settings.findById("tax.rate").orElseThrow().value);
    return Map.of("total", items.findByOrderId(id).stream().mapToDouble(item -> item.price.doubleValue() * tax).sum());
  }

  @GetMapping("/banner")
  Map<String, Object> banner() {
    return Map.of("banner", cached("banner", () -> settings.findById("banner.text").orElseThrow().value));
  }

  @GetMapping("/events/search")
  List<Map<String, Object>> search(@RequestParam String reference) {
    return jdbc.queryForList("SELECT e.id, e.reference, e.amount, u.name FROM events e JOIN users u ON u.id = e.user_id WHERE e.reference = ?", "REF-" + reference);
  }

  @GetMapping("/events/recent")
  List<Map<String, Object>> recent(@RequestParam String since) {
    return jdbc.queryForList(
        "SELECT kind, count(DISTINCT user_id) AS users FROM events WHERE created_at >= ?::timestamptz AND created_at < ?::timestamptz + interval '1 hour' GROUP BY kind", since, since);
  }

  @GetMapping("/orders/{id}/shipping")
  Map<String, Object> shipping(@PathVariable int id) { // the carrier's rates are fetched by a timer; requests read the copy
    Model.Order order = orders.findById(id).orElseThrow();
    Object cost = redis.opsForHash().get("shipping:rates", String.valueOf(order.id % 6));
    return Map.of("cost", (cost == null ? 5 : Double.parseDouble((String) cost)) * items.countByOrderId(id));
  }

  @GetMapping("/shipments/by-code")
  List<Map<String, Object>> byCode(@RequestParam String code) {
    return jdbc.queryForList("SELECT id, order_id, carrier, state FROM shipments WHERE tracking_code = ? AND state = 'moving' ORDER BY created_at DESC", code);
  }

  @GetMapping("/events")
  List<String> events(@RequestParam int after) {
    return events.findByIdGreaterThanOrderById(after, Limit.of(50)).stream().map(event -> event.reference).toList();
  }

  @GetMapping("/products")
  List<Map<String, Object>> products() {
    return jdbc.queryForList("SELECT id, name, price FROM products ORDER BY id LIMIT 50");
  }

  @PostMapping("/audit")
  @ResponseStatus(HttpStatus.CREATED)
  Map<String, Object> audit(@RequestBody Map<String, Integer> wanted) {
    List<Object[]> rows = IntStream.range(0, wanted.get("count")).mapToObj(i -> new Object[] {7, "login", "event " + i}).toList();
    jdbc.batchUpdate("INSERT INTO audit_log (actor, action, detail) VALUES (?, ?, ?)", rows);
    return Map.of("written", rows.size());
  }

  @GetMapping("/invoices/{id}")
  Map<String, Object> invoice(@PathVariable int id) {
    return invoices.queryForMap("SELECT count(*) AS parcels, max(created_at) AS last_sent FROM shipments WHERE order_id % 97 = ?", id % 97);
  }

  @GetMapping("/orders/{id}/status")
  Map<String, Object> status(@PathVariable int id) {
    return jdbc.queryForMap("SELECT status FROM orders WHERE id = ?", id);
  }

  @PostMapping("/orders")
  @ResponseStatus(HttpStatus.CREATED)
  Map<String, Object> create(@RequestBody Map<String, Integer> wanted) {
    Integer id = jdbc.queryForObject("INSERT INTO orders (user_id, status, total, created_at) VALUES (?, 'new', 10, now()) RETURNING id", Integer.class, wanted.get("userId"));
    redis.opsForList().rightPush("mail", "user" + wanted.get("userId") + "@shop.example Order " + id);
    return Map.of("id", id);
  }

  @GetMapping("/dashboard")
  Map<String, Object> dashboard() {
    Map<String, CompletableFuture<Object>> running = new LinkedHashMap<>();
    Dashboard.QUERIES.forEach((name, sql) -> running.put(name, CompletableFuture.supplyAsync(() -> jdbc.queryForList(sql), workers)));
    Map<String, Object> result = new LinkedHashMap<>();
    running.forEach((name, future) -> result.put(name, future.join()));
    return result;
  }

  @GetMapping("/quote")
  Map<String, Object> quote() {
    List<CompletableFuture<Double>> running = List.of("/weather", "/tariff", "/traffic", "/fuel").stream()
        .map(path -> CompletableFuture.supplyAsync(() -> number(getJson(path).get("factor")), workers)).toList();
    return Map.of("price", running.stream().mapToDouble(CompletableFuture::join).sum());
  }

  @GetMapping("/revenue")
  Map<String, Object> revenue() { // a job refreshes the summary table every hour
    return Map.of("revenue", cached("revenue", () -> jdbc.queryForList("SELECT category, revenue FROM revenue_by_category ORDER BY revenue DESC").toString()));
  }

  @GetMapping("/users/{id}/wishlist")
  List<?> wishlist(@PathVariable int id) {
    String ids = reviews.findByUserIdBetweenOrderById(id, id + 1, Limit.of(15)).stream().map(review -> review.productId.toString()).collect(Collectors.joining(","));
    return partner.get().uri("/prices?ids=" + ids).retrieve().body(List.class);
  }

  @GetMapping("/carts")
  List<String> carts() {
    return redis.opsForValue().multiGet(IntStream.rangeClosed(1, 30).mapToObj(user -> "cart:" + user).toList());
  }

  @GetMapping("/carts/pipelined")
  List<Object> pipelinedCarts() {
    return redis.executePipelined((RedisCallback<Object>) connection -> {
      for (int user = 1; user <= 30; user++) connection.stringCommands().get(("cart:" + user).getBytes());
      return null;
    });
  }

  @GetMapping("/products/{id}/prices")
  Map<String, Object> prices(@PathVariable int id) {
    double rate = number(getJson("/rates/eur").get("rate"));
    Map<String, Object> prices = new LinkedHashMap<>();
    for (String country : List.of("de", "fr", "it", "es", "pt")) prices.put(country, 10 * rate);
    return prices;
  }
}
