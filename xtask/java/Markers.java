// The topic of the markers, for `cargo xtask soak`: deleting what it holds, as if that had expired, and bringing it back.
//
//   java Markers expire BOOTSTRAP TOPIC     > lines: key, tab, value: the newest of each key; none of them is left
//   java Markers restore BOOTSTRAP TOPIC    < the same lines
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.ListOffsetsOptions;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.IsolationLevel;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

public final class Markers {
    /** Longer than any transaction may stay open in a soak. */
    private static final Duration OPEN_LIMIT = Duration.ofSeconds(150);

    public static void main(String[] arguments) throws Exception {
        Map<String, Object> settings = Map.of("bootstrap.servers", arguments[1]);
        var partition = new TopicPartition(arguments[2], 0);
        if (arguments[0].equals("expire")) {
            try (var admin = Admin.create(settings)) {
                expire(admin, arguments[1], partition);
            }
        } else {
            restore(settings, partition);
        }
    }

    private static void expire(Admin admin, String bootstrap, TopicPartition partition) throws Exception {
        long end = end(admin, partition, IsolationLevel.READ_UNCOMMITTED);
        long start = System.nanoTime();
        while (end(admin, partition, IsolationLevel.READ_COMMITTED) < end) {
            if (System.nanoTime() - start > OPEN_LIMIT.toNanos()) {
                throw new IllegalStateException("a transaction stays open for " + OPEN_LIMIT.toSeconds() + " s");
            }
            Thread.sleep(100);
        }
        var newest = new TreeMap<String, String>();
        Map<String, Object> settings = Map.of(
                "bootstrap.servers", bootstrap, "isolation.level", "read_committed", "enable.auto.commit", "false");
        var deserializer = new StringDeserializer();
        try (var consumer = new KafkaConsumer<>(settings, deserializer, deserializer)) {
            consumer.assign(List.of(partition));
            consumer.seekToBeginning(List.of(partition));
            while (consumer.position(partition) < end) {
                consumer.poll(Duration.ofMillis(100)).forEach(record -> newest.put(record.key(), record.value()));
            }
        }
        // Records of a topic that is only compacted cannot be deleted.
        policy(admin, partition.topic(), "delete");
        admin.deleteRecords(Map.of(partition, RecordsToDelete.beforeOffset(end))).all().get();
        policy(admin, partition.topic(), "compact");
        var out = new StringBuilder();
        newest.forEach((key, value) -> out.append(key).append('\t').append(value).append('\n'));
        System.out.print(out);
        System.out.flush();
    }

    private static void policy(Admin admin, String topic, String policy) throws Exception {
        var entry = new ConfigEntry("cleanup.policy", policy);
        var resource = new ConfigResource(ConfigResource.Type.TOPIC, topic);
        admin.incrementalAlterConfigs(Map.of(resource, List.of(new AlterConfigOp(entry, AlterConfigOp.OpType.SET))))
                .all()
                .get();
    }

    private static long end(Admin admin, TopicPartition partition, IsolationLevel level) throws Exception {
        var asked = Map.of(partition, OffsetSpec.latest());
        return admin.listOffsets(asked, new ListOffsetsOptions(level)).partitionResult(partition).get().offset();
    }

    private static void restore(Map<String, Object> settings, TopicPartition partition) throws Exception {
        var serializer = new StringSerializer();
        var in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        try (var producer = new KafkaProducer<>(settings, serializer, serializer)) {
            for (String line = in.readLine(); line != null; line = in.readLine()) {
                String[] parts = line.split("\t", 2);
                producer.send(new ProducerRecord<>(partition.topic(), partition.partition(), parts[0], parts[1])).get();
            }
        }
    }
}
