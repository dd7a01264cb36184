// Runs a script of table definitions and one INSERT in a MiniCluster of real Flink and says how long the job ran, for
// `cargo xtask bench flink`.
//
//   java FlinkBench SCRIPT PARALLELISM CHECKPOINT-INTERVAL-MS CHECKPOINT-DIRECTORY    > milliseconds
import java.nio.file.Files;
import java.nio.file.Path;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.table.api.EnvironmentSettings;
import org.apache.flink.table.api.TableEnvironment;

public final class FlinkBench {
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
        for (String statement : Files.readString(Path.of(arguments[0])).split(";")) {
            if (statement.isBlank()) {
                continue;
            }
            var result = environment.executeSql(statement);
            var job = result.getJobClient();
            if (job.isPresent()) {
                System.out.println(job.get().getJobExecutionResult().get().getNetRuntime());
            }
        }
        // Nothing in this JVM outlives the job.
        System.out.flush();
        Runtime.getRuntime().halt(0);
    }
}
