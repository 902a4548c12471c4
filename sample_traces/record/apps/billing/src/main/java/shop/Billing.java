package shop;

import com.zaxxer.hikari.HikariConfig;
import com.zaxxer.hikari.HikariDataSource;
import org.springframework.beans.factory.annotation.Value;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;
import org.springframework.context.annotation.Bean;
import org.springframework.data.jpa.repository.config.EnableJpaRepositories;
import org.springframework.jdbc.core.JdbcTemplate;
import org.springframework.web.client.RestClient;

/** The billing service: Spring Boot, Hibernate and JDBC over PostgreSQL, Lettuce, RestClient. RELEASE picks the version. */
@SpringBootApplication
@EnableJpaRepositories(considerNestedRepositories = true)
public class Billing {
  public static void main(String[] arguments) {
    SpringApplication.run(Billing.class, arguments);
  }

  @Bean
  RestClient partner(@Value("${partner.url}") String url) {
    return RestClient.create(url);
  }

  /** The invoice pages have connections of their own: one for everybody in version 1, sixteen in version 2. */
  @Bean(defaultCandidate = false)
  JdbcTemplate invoices(@Value("${spring.datasource.url}") String url, @Value("${release}") int release) {
    HikariConfig config = new HikariConfig();
    config.setJdbcUrl(url);
    config.setUsername("shop");
    config.setMaximumPoolSize(release == 2 ? 16 : 1);
    return new JdbcTemplate(new HikariDataSource(config));
  }
}
