// Latency from the creation of records to their arrival in another topic, for `cargo xtask bench latency`: producer and
// reader in one program, so that there is one clock.
//
//   java Latency BOOTSTRAP IN OUT RATE WARM-UP-SECONDS SECONDS    > one line of JSON
//
// Values in: {"id":…,"t":microseconds since 1970,"pad":"…"}; the job must write {"t":…,…} out.
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import org.HdrHistogram.Histogram;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

public final class Latency {
    /** Records that come later than this count as not arrived. */
    private static final long PATIENCE_US = 60_000_000;
    private static final long HIGHEST_US = 3_600_000_000L;
    private static final int PARTITIONS = 4;
    private static final String PAD = "abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmn";

    private final String bootstrap;
    private final long rate;
    private final long start = now();
    private final long from;
    private final long to;
    private final AtomicBoolean ready = new AtomicBoolean();
    private final AtomicReference<Throwable> failed = new AtomicReference<>();
    private final AtomicLong behind = new AtomicLong();
    private final Histogram arrival = new Histogram(1, HIGHEST_US, 3);
    private final Histogram append = new Histogram(1, HIGHEST_US, 3);

    private Latency(String bootstrap, long rate, long warmUp, long seconds) {
        this.bootstrap = bootstrap;
        this.rate = rate;
        from = start + warmUp * 1_000_000;
        to = from + seconds * 1_000_000;
    }

    public static void main(String[] arguments) throws Exception {
        var latency = new Latency(
                arguments[0], Long.parseLong(arguments[3]), Long.parseLong(arguments[4]), Long.parseLong(arguments[5]));
        latency.run(arguments[1], arguments[2]);
    }

    private static long now() {
        Instant now = Instant.now();
        return now.getEpochSecond() * 1_000_000 + now.getNano() / 1_000;
    }

    private void run(String in, String out) throws Exception {
        long expected = (to - start) * rate / 1_000_000 - (from - start) * rate / 1_000_000;
        var reader = new Thread(() -> guarded(() -> read(out, expected)), "reader");
        reader.start();
        while (!ready.get() && failed.get() == null) {
            Thread.sleep(1);
        }
        guarded(() -> produce(in));
        long took = now() - start;
        reader.join();
        if (failed.get() != null) {
            throw new IllegalStateException(failed.get());
        }
        double sentRate = (to - start) * (double) rate / Math.max(took, 1);
        System.out.println("{\"sent\":" + expected + ",\"arrived\":" + arrival.getTotalCount() + ",\"rate\":" + sentRate
                + ",\"behind_ms_max\":" + behind.get() / 1e3 + ",\"arrival_ms\":" + percentiles(arrival)
                + ",\"append_ms\":" + percentiles(append) + "}");
    }

    private interface Work {
        void run() throws Exception;
    }

    private void guarded(Work work) {
        try {
            work.run();
        } catch (Throwable error) {
            failed.compareAndSet(null, error);
        }
    }

    private void produce(String topic) throws Exception {
        Map<String, Object> settings = new HashMap<>();
        settings.put("bootstrap.servers", bootstrap);
        settings.put("linger.ms", "0");
        settings.put("batch.size", "65536");
        var serializer = new ByteArraySerializer();
        long total = (to - start) * rate / 1_000_000;
        long sent = 0;
        try (var producer = new KafkaProducer<>(settings, serializer, serializer)) {
            while (sent < total && failed.get() == null) {
                long due = Math.min(total, (now() - start) * rate / 1_000_000);
                while (sent < due) {
                    long created = start + sent * 1_000_000 / rate;
                    send(producer, topic, sent, created);
                    if (created >= from) {
                        behind.accumulateAndGet(now() - created, Math::max);
                    }
                    sent++;
                }
                Thread.sleep(1);
            }
        }
    }

    private void send(KafkaProducer<byte[], byte[]> producer, String topic, long id, long created) {
        String value = "{\"id\":" + id + ",\"t\":" + created + ",\"pad\":\"" + PAD + "\"}";
        // Some records in a row go to one partition, so that there are batches.
        int partition = (int) (id / 64 % PARTITIONS);
        var record = new ProducerRecord<byte[], byte[]>(topic, partition, null, value.getBytes(StandardCharsets.ISO_8859_1));
        producer.send(record, (metadata, error) -> {
            if (error != null) {
                failed.compareAndSet(null, error);
            }
        });
    }

    private void read(String topic, long expected) {
        Map<String, Object> settings = new HashMap<>();
        settings.put("bootstrap.servers", bootstrap);
        settings.put("isolation.level", "read_committed");
        settings.put("auto.offset.reset", "none");
        settings.put("enable.auto.commit", "false");
        settings.put("fetch.min.bytes", "1");
        settings.put("max.poll.records", "20000");
        var deserializer = new ByteArrayDeserializer();
        try (var consumer = new KafkaConsumer<>(settings, deserializer, deserializer)) {
            var partitions = new ArrayList<TopicPartition>();
            consumer.partitionsFor(topic).forEach(p -> partitions.add(new TopicPartition(topic, p.partition())));
            consumer.assign(partitions);
            consumer.seekToBeginning(partitions);
            ready.set(true);
            while (arrival.getTotalCount() < expected && now() < to + PATIENCE_US && failed.get() == null) {
                var records = consumer.poll(Duration.ofMillis(100));
                long arrived = now();
                for (var record : records) {
                    long created = created(record.value());
                    if (created >= from && created < to) {
                        arrival.recordValue(Math.min(Math.max(arrived - created, 0), HIGHEST_US));
                        append.recordValue(Math.min(Math.max(record.timestamp() * 1_000 - created, 0), HIGHEST_US));
                    }
                }
            }
        }
    }

    /** The number behind {@code "t":}. */
    private static long created(byte[] value) {
        for (int index = 0; index + 4 < value.length; index++) {
            if (value[index] == '"' && value[index + 1] == 't' && value[index + 2] == '"' && value[index + 3] == ':') {
                long number = 0;
                for (int digit = index + 4; digit < value.length && value[digit] >= '0' && value[digit] <= '9'; digit++) {
                    number = number * 10 + value[digit] - '0';
                }
                return number;
            }
        }
        throw new IllegalStateException("no \"t\" in " + new String(value, StandardCharsets.UTF_8));
    }

    private static String percentiles(Histogram histogram) {
        return "{\"p50\":" + at(histogram, 50) + ",\"p90\":" + at(histogram, 90) + ",\"p99\":" + at(histogram, 99)
                + ",\"p999\":" + at(histogram, 99.9) + ",\"max\":" + histogram.getMaxValue() / 1e3 + "}";
    }

    private static double at(Histogram histogram, double percentile) {
        return histogram.getValueAtPercentile(percentile) / 1e3;
    }
}
