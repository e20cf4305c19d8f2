import java.math.BigDecimal;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.time.LocalTime;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.runtime.minicluster.MiniCluster;
import org.apache.flink.runtime.minicluster.MiniClusterConfiguration;
import org.apache.flink.table.api.EnvironmentSettings;
import org.apache.flink.table.api.TableEnvironment;
import org.apache.flink.types.Row;
import org.apache.flink.util.CloseableIterator;

/**
 * Fills the columns `flink type` and `flink result` of the conformance tables.
 *
 * <p>usage: FunctionOracle TABLE.jsonl FAMILY.tsv... (each family file is rewritten in place). An expression that has
 * columns is evaluated over the five rows of `t`; one that has none is evaluated once.
 */
public final class FunctionOracle {
  private static final int GROUP = 40;
  private static TableEnvironment environment;

  /** One line of a table: the expression and what Flink makes of it. */
  private static final class Case {
    final String[] cells;
    final String expression;
    boolean constant;
    String type = "REFUSED";
    String result = "";

    Case(String line) {
      cells = Arrays.copyOf(line.split("\t", -1), 5);
      expression = cells[0];
    }

    String line() {
      String ours = cells[3] == null ? "" : cells[3];
      String note = cells[4] == null ? "" : cells[4];
      return (expression + "\t" + type + "\t" + result + "\t" + ours + "\t" + note).stripTrailing();
    }
  }

  public static void main(String[] arguments) throws Exception {
    List<String> files = Arrays.asList(arguments).subList(1, arguments.length);
    Configuration configuration = new Configuration();
    configuration.setString("parallelism.default", "1");
    configuration.setString("table.local-time-zone", "UTC");
    MiniCluster cluster = startCluster(configuration);
    environment =
        TableEnvironment.create(
            EnvironmentSettings.newInstance().inStreamingMode().withConfiguration(configuration).build());
    createTable(Path.of(arguments[0]).toAbsolutePath().toString());
    for (String file : files) {
      List<String> out = new ArrayList<>();
      List<Case> cases = new ArrayList<>();
      for (String line : Files.readAllLines(Path.of(file))) {
        if (line.isBlank() || line.startsWith("#")) {
          out.add(line);
        } else {
          Case c = new Case(line);
          out.add(null);
          cases.add(c);
        }
      }
      cases.forEach(FunctionOracle::findType);
      for (boolean constant : new boolean[] {true, false}) {
        List<Case> chosen =
            cases.stream().filter(c -> c.constant == constant && !c.type.equals("REFUSED")).toList();
        for (int i = 0; i < chosen.size(); i += GROUP) {
          evaluate(chosen.subList(i, Math.min(chosen.size(), i + GROUP)), constant);
        }
      }
      int next = 0;
      for (int i = 0; i < out.size(); i++) {
        if (out.get(i) == null) {
          out.set(i, cases.get(next++).line());
        }
      }
      Files.write(Path.of(file), out);
      System.err.println(file + ": " + cases.size() + " expressions");
    }
    cluster.close();
    System.exit(0);
  }

  /** One cluster for all jobs: a cluster for each job would cost seconds each. */
  private static MiniCluster startCluster(Configuration configuration) throws Exception {
    configuration.setString("rest.bind-port", "0");
    MiniCluster cluster =
        new MiniCluster(
            new MiniClusterConfiguration.Builder()
                .setConfiguration(new Configuration(configuration))
                .setNumTaskManagers(1)
                .setNumSlotsPerTaskManager(2)
                .build());
    cluster.start();
    configuration.setString("execution.target", "remote");
    configuration.setString("rest.address", cluster.getRestAddress().get().getHost());
    configuration.setString("rest.port", String.valueOf(cluster.getRestAddress().get().getPort()));
    return cluster;
  }

  private static void findType(Case c) {
    try {
      var column =
          environment.sqlQuery("SELECT " + c.expression + " AS x FROM t").getResolvedSchema().getColumnDataTypes().get(0);
      c.type = typeName(column.getLogicalType().asSummaryString());
    } catch (Throwable refused) {
      return;
    }
    try {
      environment.sqlQuery("SELECT " + c.expression + " AS x");
      c.constant = true;
    } catch (Throwable hasColumns) {
      c.constant = false;
    }
  }

  /** One string type, one byte string type, precisions of time rounded up to 3, 6 or 9, no NOT NULL. */
  private static String typeName(String type) {
    String name =
        type.replace(" NOT NULL", "")
            .replace(" *PROCTIME*", "")
            .replaceAll("\\b(VAR)?CHAR\\(\\d+\\)", "STRING")
            .replaceAll("\\b(VAR)?BINARY\\(\\d+\\)", "BYTES")
            .replaceAll("\\bTIME\\(\\d\\)", "TIME")
            .replaceAll("\\(([012])\\)", "(3)")
            .replaceAll("\\(([45])\\)", "(6)")
            .replaceAll("\\(([78])\\)", "(9)");
    return name;
  }

  private static void evaluate(List<Case> cases, boolean constant) {
    if (constant) {
      evaluateRows(cases, "", 1);
    } else {
      evaluateRows(cases, " FROM t", 5);
    }
  }

  /** Evaluates in one job; where that fails, halves; a lone failing expression goes row by row. */
  private static void evaluateRows(List<Case> cases, String from, int rows) {
    String columns = cases.stream().map(c -> c.expression).collect(Collectors.joining(", "));
    List<Row> result = new ArrayList<>();
    try (CloseableIterator<Row> it = environment.executeSql("SELECT " + columns + from).collect()) {
      it.forEachRemaining(result::add);
      if (result.size() != rows) {
        throw new IllegalStateException("expected " + rows + " rows, found " + result.size());
      }
      for (int i = 0; i < cases.size(); i++) {
        List<String> texts = new ArrayList<>();
        for (Row row : result) {
          texts.add(text(row.getField(i)));
        }
        cases.get(i).result = String.join(" | ", texts);
      }
      return;
    } catch (Throwable failure) {
      if (cases.size() == 1 && rows == 1) {
        cases.get(0).result = "ERROR";
        return;
      }
    }
    if (cases.size() > 1) {
      int half = cases.size() / 2;
      evaluateRows(cases.subList(0, half), from, rows);
      evaluateRows(cases.subList(half, cases.size()), from, rows);
      return;
    }
    List<String> texts = new ArrayList<>();
    for (int id = 1; id <= rows; id++) {
      evaluateRows(cases, from + " WHERE id = " + id, 1);
      texts.add(cases.get(0).result);
    }
    cases.get(0).result = String.join(" | ", texts);
  }

  private static String text(Object value) {
    if (value == null) {
      return "NULL";
    } else if (value instanceof String s) {
      return "'" + s.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r") + "'";
    } else if (value instanceof byte[] bytes) {
      return "x'" + HexFormat.of().formatHex(bytes) + "'";
    } else if (value instanceof BigDecimal decimal) {
      return decimal.toPlainString();
    } else if (value instanceof LocalDate date) {
      return date.toString();
    } else if (value instanceof LocalTime time) {
      return time.format(DateTimeFormatter.ofPattern("HH:mm:ss")) + fraction(time.getNano());
    } else if (value instanceof LocalDateTime time) {
      return time.format(DateTimeFormatter.ofPattern("yyyy-MM-dd HH:mm:ss")) + fraction(time.getNano());
    } else if (value instanceof Instant instant) {
      return text(LocalDateTime.ofInstant(instant, java.time.ZoneOffset.UTC)) + "Z";
    } else if (value instanceof Object[] items) {
      return Arrays.stream(items).map(FunctionOracle::text).collect(Collectors.joining(", ", "[", "]"));
    } else if (value instanceof Map<?, ?> map) {
      Map<String, String> sorted = new TreeMap<>();
      map.forEach((k, v) -> sorted.put(text(k), text(v)));
      return sorted.toString();
    } else if (value instanceof Row row) {
      List<String> fields = new ArrayList<>();
      for (int i = 0; i < row.getArity(); i++) {
        fields.add(text(row.getField(i)));
      }
      return "(" + String.join(", ", fields) + ")";
    }
    return value.toString();
  }

  private static String fraction(int nanos) {
    return nanos == 0 ? "" : ("." + String.format("%09d", nanos)).replaceAll("0+$", "");
  }

  /** The table `t` over `table.jsonl`; the planner's tests read the same file. */
  private static void createTable(String rows) {
    environment.executeSql(
        "CREATE TEMPORARY TABLE t (id INT, b BOOLEAN, c BOOLEAN, ti TINYINT, si SMALLINT, i INT, j INT,"
            + " l BIGINT, f FLOAT, d DOUBLE, e DOUBLE, dc DECIMAL(10, 2), dd DECIMAL(20, 5), s STRING,"
            + " z STRING, n STRING, bs BYTES, dt DATE, tm TIME(0), ts TIMESTAMP(3), u TIMESTAMP(3),"
            + " t6 TIMESTAMP(6), lz TIMESTAMP_LTZ(3), ai ARRAY<INT>, ass ARRAY<STRING>,"
            + " m MAP<STRING, INT>, r ROW<a INT, b STRING>, js STRING)"
            + " WITH ('connector' = 'filesystem', 'format' = 'json', 'path' = '" + rows + "')");
  }
}
