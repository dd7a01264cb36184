// Runs a script of table definitions and one INSERT in a MiniCluster of real Flink and says how long the job ran, for
// `cargo xtask bench flink`.
//
//   java FlinkBench SCRIPT PARALLELISM CHECKPOINT-INTERVAL-MS CHECKPOINT-DIRECTORY    > milliseconds
//
// The exit code is 65 if Flink refuses a statement: it is said on standard error.
import java.nio.file.Files;
import java.nio.file.Path;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.table.api.EnvironmentSettings;
import org.apache.flink.table.api.TableEnvironment;
import org.apache.flink.table.api.TableException;
import org.apache.flink.table.api.TableResult;
import org.apache.flink.table.api.ValidationException;
import org.apache.flink.table.functions.ScalarFunction;

public final class FlinkBench {
    /// How often a character is in a text: a function of the Nexmark benchmark, which brings it for Flink.
    public static final class CountChar extends ScalarFunction {
        public long eval(String text, String character) {
            long count = 0;
            if (text != null) {
                char wanted = character.charAt(0);
                for (int at = 0; at < text.length(); at++) {
                    count += text.charAt(at) == wanted ? 1 : 0;
                }
            }
            return count;
        }
    }

    public static void main(String[] arguments) throws Exception {
        var configuration = new Configuration();
        configuration.setString("rest.address", "localhost");
        configuration.setString("rest.bind-address", "localhost");
        configuration.setString("rest.port", "0");
        configuration.setString("parallelism.default", arguments[1]);
        configuration.setString("execution.checkpointing.interval", arguments[2] + " ms");
        configuration.setString("execution.checkpointing.dir", Path.of(arguments[3]).toUri().toString());
        configuration.setString("state.backend.type", "hashmap");
        configuration.setString("pipeline.object-reuse", "true");
        configuration.setString("restart-strategy.type", "none");
        configuration.setString("taskmanager.memory.network.min", "128m");
        configuration.setString("taskmanager.memory.network.max", "128m");
        configuration.setString("taskmanager.memory.managed.size", "128m");
        configuration.setString("table.local-time-zone", "UTC");
        var settings = EnvironmentSettings.newInstance().inStreamingMode().withConfiguration(configuration).build();
        var environment = TableEnvironment.create(settings);
        environment.createTemporarySystemFunction("count_char", CountChar.class);
        for (String statement : Files.readString(Path.of(arguments[0])).split(";")) {
            if (statement.isBlank()) {
                continue;
            }
            var job = execute(environment, statement).getJobClient();
            if (job.isPresent()) {
                System.out.println(job.get().getJobExecutionResult().get().getNetRuntime());
            }
        }
        // Nothing in this JVM outlives the job.
        System.out.flush();
        Runtime.getRuntime().halt(0);
    }

    private static TableResult execute(TableEnvironment environment, String statement) {
        try {
            return environment.executeSql(statement);
        } catch (TableException | ValidationException refusal) {
            System.err.println("Flink refuses it: " + refusal.getMessage().lines().findFirst().orElse(""));
            Runtime.getRuntime().halt(65);
            throw refusal;
        }
    }
}
