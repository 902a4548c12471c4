package shop;

import jakarta.persistence.Column;
import jakarta.persistence.Entity;
import jakarta.persistence.FetchType;
import jakarta.persistence.GeneratedValue;
import jakarta.persistence.GenerationType;
import jakarta.persistence.Id;
import jakarta.persistence.JoinColumn;
import jakarta.persistence.ManyToOne;
import jakarta.persistence.OneToMany;
import jakarta.persistence.Table;
import java.math.BigDecimal;
import java.time.OffsetDateTime;
import java.util.List;
import java.util.Set;
import org.springframework.data.domain.Limit;
import org.springframework.data.domain.Pageable;
import org.springframework.data.jpa.repository.JpaRepository;
import org.springframework.data.jpa.repository.Query;

/** The shop's tables and their repositories. */
final class Model {
  private Model() {}

  @Entity(name = "User")
  @Table(name = "users")
  public static class User {
    @Id public Integer id;
    public String name;
    public String email;
    @OneToMany(mappedBy = "user", fetch = FetchType.LAZY) public Set<Order> orders;
  }

  @Entity(name = "Order")
  @Table(name = "orders")
  public static class Order {
    @Id @GeneratedValue(strategy = GenerationType.IDENTITY) public Integer id;
    @ManyToOne(fetch = FetchType.LAZY) @JoinColumn(name = "user_id") public User user;
    public String status;
    public BigDecimal total;
    @Column(name = "created_at") public OffsetDateTime createdAt;
    @OneToMany(mappedBy = "order", fetch = FetchType.LAZY) public Set<OrderItem> items;
  }

  @Entity(name = "OrderItem")
  @Table(name = "order_items")
  public static class OrderItem {
    @Id @GeneratedValue(strategy = GenerationType.IDENTITY) public Integer id;
    @ManyToOne(fetch = FetchType.LAZY) @JoinColumn(name = "order_id") public Order order;
    @Column(name = "product_id") public Integer productId;
    public int quantity;
    public BigDecimal price;
  }

  @Entity(name = "Review")
  @Table(name = "reviews")
  public static class Review {
    @Id public Integer id;
    @Column(name = "user_id") public Integer userId;
    @Column(name = "product_id") public Integer productId;
    public int rating;
  }

  @Entity(name = "Product")
  @Table(name = "products")
  public static class Product {
    @Id public Integer id;
    public String name;
    public BigDecimal price;
    public String category;
  }

  @Entity(name = "Setting")
  @Table(name = "settings")
  public static class Setting {
    @Id public String key;
    public String value;
  }

  @Entity(name = "AuditLog")
  @Table(name = "audit_log")
  public static class AuditLog {
    @Id @GeneratedValue(strategy = GenerationType.IDENTITY) public Integer id;
    public int actor;
    public String action;
    public String detail;
  }

  @Entity(name = "Event")
  @Table(name = "events")
  public static class Event {
    @Id public Integer id;
    public String kind;
    public String reference;
  }

  public interface Users extends JpaRepository<User, Integer> {
    List<User> findAllByOrderById(Limit limit);

    @Query("select u from User u join fetch u.orders where u.id <= :last")
    List<User> withOrders(int last);
  }

  public interface Orders extends JpaRepository<Order, Integer> {
    List<Order> findByUserId(int userId);

    @Query("select o from Order o join fetch o.items where o.user.id = :userId")
    List<Order> withItems(int userId);

    @Query("select o from Order o join fetch o.items where o.user.id <= :last")
    List<Order> ofFirstUsersWithItems(int last);

    long countByUserId(int userId);

    List<Order> findByIdGreaterThanOrderById(int last, Limit limit);

    List<Order> findAllByOrderByCreatedAtDesc(Pageable page);
  }

  public interface Items extends JpaRepository<OrderItem, Integer> {
    List<OrderItem> findByOrderId(int orderId);

    long countByOrderId(int orderId);
  }

  public interface Reviews extends JpaRepository<Review, Integer> {
    List<Review> findByUserId(int userId, Limit limit);

    List<Review> findByUserIdBetweenOrderById(int first, int last, Limit limit);

    List<Review> findByUserIdIn(List<Integer> users);

    long countByProductId(int productId);
  }

  public interface Products extends JpaRepository<Product, Integer> {
    List<Product> findByCategory(String category, Limit limit);

    List<Product> findAllByOrderById(Limit limit);
  }

  public interface Settings extends JpaRepository<Setting, String> {}

  public interface AuditLogs extends JpaRepository<AuditLog, Integer> {}

  public interface Events extends JpaRepository<Event, Integer> {
    List<Event> findAllByOrderById(Pageable page);

    List<Event> findByIdGreaterThanOrderById(int last, Limit limit);
  }
}
