import com.sun.management.OperatingSystemMXBean;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.table.api.EnvironmentSettings;
import org.apache.flink.table.api.StatementSet;
import org.apache.flink.table.api.TableEnvironment;

/**
 * Runs SQL files in one Flink process and tells what that cost. All INSERTs become one job.
 *
 * <p>Arguments: {@code -c key=value} is a setting of Flink, {@code -v NAME=value} replaces {@code
 * ${NAME}} in the files, the rest are the files in order. A statement ends with a semicolon at the
 * end of a line.
 */
public final class FlinkBench {
  public static void main(String[] arguments) throws Exception {
    Configuration settings = new Configuration();
    Map<String, String> variables = new HashMap<>();
    StringBuilder sql = new StringBuilder();
    for (int at = 0; at < arguments.length; at++) {
      switch (arguments[at]) {
        case "-c" -> {
          String[] pair = arguments[++at].split("=", 2);
          settings.setString(pair[0], pair[1]);
        }
        case "-v" -> {
          String[] pair = arguments[++at].split("=", 2);
          variables.put("${" + pair[0] + "}", pair[1]);
        }
        default -> sql.append(Files.readString(Path.of(arguments[at]))).append('\n');
      }
    }
    String text = sql.toString();
    for (Map.Entry<String, String> variable : variables.entrySet()) {
      text = text.replace(variable.getKey(), variable.getValue());
    }
    TableEnvironment tables =
        TableEnvironment.create(
            EnvironmentSettings.newInstance().inStreamingMode().withConfiguration(settings).build());
    StatementSet inserts = tables.createStatementSet();
    for (String statement : text.split(";\\s*\\n")) {
      String bare = statement.replaceAll("(?m)^\\s*--.*$", "").strip();
      if (bare.startsWith("INSERT")) {
        inserts.addInsertSql(bare);
      } else if (!bare.isEmpty()) {
        tables.executeSql(bare);
      }
    }
    double ready = sinceStart();
    try {
      inserts.execute().await();
    } catch (Exception error) {
      // The cluster's threads would keep the process.
      error.printStackTrace();
      System.exit(1);
    }
    System.out.printf(
        "flink: %.2f CPU s, %.2f s wall (job submitted after %.2f s), peak RSS %d MB%n",
        cpuSeconds(), sinceStart(), ready, peakKibibytes() / 1000);
    System.exit(0);
  }

  private static double sinceStart() {
    long start = ManagementFactory.getRuntimeMXBean().getStartTime();
    return (System.currentTimeMillis() - start) / 1e3;
  }

  private static double cpuSeconds() {
    var system = (OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
    return system.getProcessCpuTime() / 1e9;
  }

  private static long peakKibibytes() throws Exception {
    for (String line : Files.readAllLines(Path.of("/proc/self/status"))) {
      if (line.startsWith("VmHWM:")) {
        return Long.parseLong(line.replaceAll("\\D", ""));
      }
    }
    return 0;
  }
}
