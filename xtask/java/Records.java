// Records into a topic from standard input, and committed records out of topics to standard output, for `cargo xtask`:
// by Kafka's own Java client, which shares no code with the one that Tidegate uses. What records mean is not known here.
//
//   java Records produce BOOTSTRAP TOPIC      < lines: partition, tab, value
//   java Records consume BOOTSTRAP TOPIC…     > lines: index of the topic, tab, partition, tab, value
//
// `consume` follows the topics. At a line of its standard input, and at the end of that, it waits for transactions that
// are open (so that nothing is behind them), reads to the ends of the topics, and writes a line `#sync` or `#end`, tab,
// seconds waited for the transactions.
import java.io.BufferedOutputStream;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.ListOffsetsOptions;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.IsolationLevel;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

public final class Records {
    /** Longer than any transaction may stay open in a soak. */
    private static final Duration OPEN_LIMIT = Duration.ofSeconds(150);

    public static void main(String[] arguments) throws Exception {
        String bootstrap = arguments[1];
        List<String> topics = List.of(arguments).subList(2, arguments.length);
        switch (arguments[0]) {
            case "produce" -> produce(bootstrap, topics.get(0));
            case "consume" -> consume(bootstrap, topics);
            default -> throw new IllegalArgumentException(arguments[0]);
        }
    }

    private static void produce(String bootstrap, String topic) throws Exception {
        Map<String, Object> settings = new HashMap<>();
        settings.put("bootstrap.servers", bootstrap);
        settings.put("acks", "all");
        settings.put("enable.idempotence", "true");
        settings.put("delivery.timeout.ms", "300000");
        settings.put("max.block.ms", "300000");
        settings.put("linger.ms", "5");
        settings.put("batch.size", "131072");
        settings.put("reconnect.backoff.max.ms", "200");
        AtomicReference<Exception> failed = new AtomicReference<>();
        var serializer = new ByteArraySerializer();
        var in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8), 1 << 20);
        try (var producer = new KafkaProducer<>(settings, serializer, serializer)) {
            for (String line = in.readLine(); line != null; line = in.readLine()) {
                int tab = line.indexOf('\t');
                int partition = Integer.parseInt(line, 0, tab, 10);
                byte[] value = line.substring(tab + 1).getBytes(StandardCharsets.UTF_8);
                producer.send(new ProducerRecord<>(topic, partition, null, value), (metadata, error) -> {
                    if (error != null) {
                        failed.compareAndSet(null, error);
                    }
                });
                if (failed.get() != null) {
                    throw failed.get();
                }
            }
            producer.flush();
        }
        if (failed.get() != null) {
            throw failed.get();
        }
    }

    private static void consume(String bootstrap, List<String> topics) throws Exception {
        Map<String, Object> settings = new HashMap<>();
        settings.put("bootstrap.servers", bootstrap);
        settings.put("isolation.level", "read_committed");
        settings.put("auto.offset.reset", "none");
        settings.put("enable.auto.commit", "false");
        settings.put("max.poll.records", "10000");
        settings.put("reconnect.backoff.max.ms", "200");
        var deserializer = new ByteArrayDeserializer();
        var out = new PrintStream(new BufferedOutputStream(System.out, 1 << 20), false);
        var told = new AtomicBoolean();
        var lines = new AtomicInteger();
        listen(lines, told);
        try (var consumer = new KafkaConsumer<>(settings, deserializer, deserializer);
                var admin = Admin.create(Map.of("bootstrap.servers", bootstrap))) {
            var partitions = new ArrayList<TopicPartition>();
            for (String topic : topics) {
                consumer.partitionsFor(topic).forEach(p -> partitions.add(new TopicPartition(topic, p.partition())));
            }
            consumer.assign(partitions);
            consumer.seekToBeginning(partitions);
            int answered = 0;
            while (!told.get()) {
                poll(consumer, topics, out);
                if (answered < lines.get()) {
                    answered++;
                    toEnds(consumer, admin, partitions, topics, out, "#sync");
                }
            }
            toEnds(consumer, admin, partitions, topics, out, "#end");
        }
    }

    private static void toEnds(
            KafkaConsumer<byte[], byte[]> consumer,
            Admin admin,
            List<TopicPartition> partitions,
            List<String> topics,
            PrintStream out,
            String mark)
            throws Exception {
        double waited = waitForOpen(admin, partitions);
        Map<TopicPartition, Long> ends = ends(admin, partitions, IsolationLevel.READ_COMMITTED);
        while (ends.entrySet().stream().anyMatch(end -> consumer.position(end.getKey()) < end.getValue())) {
            poll(consumer, topics, out);
        }
        out.print(mark + "\t" + waited + "\n");
        out.flush();
    }

    /** Counts lines of standard input, and notes its end. */
    private static void listen(AtomicInteger lines, AtomicBoolean ended) {
        var thread = new Thread(() -> {
            try {
                for (int next = System.in.read(); next >= 0; next = System.in.read()) {
                    if (next == '\n') {
                        lines.incrementAndGet();
                    }
                }
            } catch (IOException error) {
                System.err.println(error);
            }
            ended.set(true);
        });
        thread.setDaemon(true);
        thread.start();
    }

    private static void poll(KafkaConsumer<byte[], byte[]> consumer, List<String> topics, PrintStream out) {
        for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofMillis(100))) {
            out.print(topics.indexOf(record.topic()));
            out.print('\t');
            out.print(record.partition());
            out.print('\t');
            out.write(record.value(), 0, record.value().length);
            out.print('\n');
        }
        out.flush();
        if (out.checkError()) {
            throw new IllegalStateException("standard output is closed");
        }
    }

    /** Waits until readers of committed records see as much as all others; seconds. */
    private static double waitForOpen(Admin admin, List<TopicPartition> partitions) throws Exception {
        long start = System.nanoTime();
        var all = ends(admin, partitions, IsolationLevel.READ_UNCOMMITTED);
        while (!ends(admin, partitions, IsolationLevel.READ_COMMITTED).equals(all)) {
            if (System.nanoTime() - start > OPEN_LIMIT.toNanos()) {
                throw new IllegalStateException("a transaction stays open for " + OPEN_LIMIT.toSeconds() + " s");
            }
            Thread.sleep(100);
            all = ends(admin, partitions, IsolationLevel.READ_UNCOMMITTED);
        }
        return (System.nanoTime() - start) / 1e9;
    }

    private static Map<TopicPartition, Long> ends(Admin admin, List<TopicPartition> partitions, IsolationLevel level)
            throws Exception {
        var asked = new HashMap<TopicPartition, OffsetSpec>();
        partitions.forEach(partition -> asked.put(partition, OffsetSpec.latest()));
        var answers = admin.listOffsets(asked, new ListOffsetsOptions(level)).all().get();
        var ends = new HashMap<TopicPartition, Long>();
        answers.forEach((partition, answer) -> ends.put(partition, answer.offset()));
        return ends;
    }
}
