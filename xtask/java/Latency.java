// Latency through a job on Kafka, for `cargo xtask bench latency`: producer and reader in one program, so that there is
// one clock.
//
//   java Latency BOOTSTRAP IN OUT pass|window RATE WARM-UP-SECONDS SECONDS KEYS WINDOW-MS    > one line of JSON
//
// Values in: {"id":…,"k":…,"t":microseconds since 1970 at which it was due,"pad":"…"}. What the job must write:
//
//   pass     {"t":…,…}: latency is from that moment
//   window   {"e":"end of the window, UTC",…,"c":count}: latency is from the end of the window
import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.time.LocalDateTime;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicReference;
import org.HdrHistogram.Histogram;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.Callback;
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
    /** Records in a row that go to one partition, so that there are batches. */
    private static final int RUN = 64;
    /** How long records are written behind those that are measured, so that their windows close. */
    private static final long TAIL_US = 1_000_000;
    private static final byte[] PAD =
            ",\"pad\":\"abcdefghijklmnopqrstuvwxyz0123456789abcdefgh\"}".getBytes(StandardCharsets.ISO_8859_1);

    private final String bootstrap;
    private final boolean windows;
    private final long rate;
    private final long keys;
    private final long window;
    private final long start = now();
    private final long from;
    private final long to;
    private final long end;
    private final AtomicBoolean ready = new AtomicBoolean();
    private final AtomicReference<Throwable> failed = new AtomicReference<>();
    private final Histogram arrival = new Histogram(1, HIGHEST_US, 3);
    private final Histogram append = new Histogram(1, HIGHEST_US, 3);
    private long behind;
    /** Records that the results which were read stand for. */
    private long counted;
    private double producerCpu;
    private double readerCpu;
    private byte[] lastEnd = new byte[0];
    private long lastEndUs;

    private Latency(String[] arguments) {
        bootstrap = arguments[0];
        windows = arguments[3].equals("window");
        rate = Long.parseLong(arguments[4]);
        keys = Long.parseLong(arguments[7]);
        window = Long.parseLong(arguments[8]) * 1_000;
        // Whole windows are measured.
        from = (start + Long.parseLong(arguments[5]) * 1_000_000) / window * window + window;
        to = from + Long.parseLong(arguments[6]) * 1_000_000 / window * window;
        end = windows ? to + TAIL_US + window : to;
    }

    public static void main(String[] arguments) throws Exception {
        new Latency(arguments).run(arguments[1], arguments[2]);
    }

    private static long now() {
        Instant now = Instant.now();
        return now.getEpochSecond() * 1_000_000 + now.getNano() / 1_000;
    }

    /** The moment at which a record is due. */
    private long due(long id) {
        return start + id * 1_000_000 / rate;
    }

    /** The first record that is due at a moment or later. */
    private long firstFrom(long moment) {
        long id = Math.max(0, (moment - start) * rate / 1_000_000 - 1);
        while (due(id) < moment) {
            id++;
        }
        return id;
    }

    private void run(String in, String out) throws Exception {
        long records = firstFrom(to) - firstFrom(from);
        long expected = windows ? results() : records;
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
        double cpu = ((com.sun.management.OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean())
                        .getProcessCpuTime()
                / 1e9;
        System.out.println("{\"records\":" + records + ",\"counted\":" + counted + ",\"sent\":" + expected
                + ",\"arrived\":" + arrival.getTotalCount() + ",\"rate\":"
                + (end - start) * (double) rate / Math.max(took, 1) + ",\"behind_ms_max\":" + behind / 1e3
                + ",\"load_cpu_seconds\":" + cpu + ",\"producer_cpu_seconds\":" + producerCpu
                + ",\"reader_cpu_seconds\":" + readerCpu + ",\"load_wall_seconds\":" + (now() - start) / 1e6
                + ",\"arrival_ms\":" + percentiles(arrival) + ",\"append_ms\":" + percentiles(append) + "}");
    }

    /** How many results the windows that are measured have: one for each key in each. */
    private long results() {
        long results = 0;
        for (long begin = from; begin < to; begin += window) {
            results += Math.min(keys, firstFrom(begin + window) - firstFrom(begin));
        }
        return results;
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
        // One broker: nothing is safer with more, and all of this shares the cores with what is measured.
        settings.put("acks", "1");
        settings.put("enable.idempotence", "false");
        var serializer = new ByteArraySerializer();
        Callback callback = (metadata, error) -> {
            if (error != null) {
                failed.compareAndSet(null, error);
            }
        };
        long total = firstFrom(end);
        long sent = 0;
        var buffer = new byte[256];
        try (var producer = new KafkaProducer<>(settings, serializer, serializer)) {
            while (sent < total && failed.get() == null) {
                long now = now();
                while (sent < total && due(sent) <= now) {
                    long created = due(sent);
                    // The runs are so short that a look at the clock for each is enough.
                    if (created >= from && sent % RUN == 0) {
                        behind = Math.max(behind, now() - created);
                    }
                    int partition = (int) (sent / RUN % PARTITIONS);
                    producer.send(new ProducerRecord<>(topic, partition, null, value(buffer, sent, created)), callback);
                    sent++;
                }
                Thread.sleep(1);
            }
            producer.flush();
            producerCpu = cpu("main") + cpu("kafka-producer-network-thread");
        }
    }

    private byte[] value(byte[] buffer, long id, long created) {
        int length = text(buffer, 0, "{\"id\":");
        length = number(buffer, length, id);
        length = text(buffer, length, ",\"k\":");
        length = number(buffer, length, id % keys);
        length = text(buffer, length, ",\"t\":");
        length = number(buffer, length, created);
        System.arraycopy(PAD, 0, buffer, length, PAD.length);
        return Arrays.copyOf(buffer, length + PAD.length);
    }

    @SuppressWarnings("deprecation")
    private static int text(byte[] buffer, int at, String text) {
        text.getBytes(0, text.length(), buffer, at);
        return at + text.length();
    }

    private static int number(byte[] buffer, int at, long number) {
        int digits = 1;
        for (long rest = number / 10; rest > 0; rest /= 10) {
            digits++;
        }
        for (int place = at + digits - 1; place >= at; place--) {
            buffer[place] = (byte) ('0' + number % 10);
            number /= 10;
        }
        return at + digits;
    }

    private void read(String topic, long expected) {
        Map<String, Object> settings = new HashMap<>();
        settings.put("bootstrap.servers", bootstrap);
        settings.put("isolation.level", "read_committed");
        settings.put("auto.offset.reset", "none");
        settings.put("enable.auto.commit", "false");
        settings.put("fetch.min.bytes", "1");
        settings.put("check.crcs", "false");
        settings.put("max.poll.records", "20000");
        var deserializer = new ByteArrayDeserializer();
        try (var consumer = new KafkaConsumer<>(settings, deserializer, deserializer)) {
            var partitions = new ArrayList<TopicPartition>();
            consumer.partitionsFor(topic).forEach(p -> partitions.add(new TopicPartition(topic, p.partition())));
            consumer.assign(partitions);
            consumer.seekToBeginning(partitions);
            ready.set(true);
            while (arrival.getTotalCount() < expected && now() < end + PATIENCE_US && failed.get() == null) {
                var records = consumer.poll(Duration.ofMillis(100));
                long arrived = now();
                for (var record : records) {
                    take(record, arrived);
                }
            }
            readerCpu = cpu("reader");
        }
    }

    private void take(ConsumerRecord<byte[], byte[]> record, long arrived) {
        byte[] value = record.value();
        // A window that ends at `to` is measured, one that ends at `from` is not.
        long moment = windows ? windowEnd(value) - 1 : numberBehind(value, 't');
        if (moment < from || moment >= to) {
            return;
        }
        counted += windows ? numberBehind(value, 'c') : 1;
        long since = windows ? moment + 1 : moment;
        arrival.recordValue(Math.min(Math.max(arrived - since, 0), HIGHEST_US));
        append.recordValue(Math.min(Math.max(record.timestamp() * 1_000 - since, 0), HIGHEST_US));
    }

    /** The moment behind {@code {"e":"}, microseconds. Many results in a row have the same. */
    private long windowEnd(byte[] value) {
        int begin = behind(value, 'e') + 1;
        int length = 0;
        while (value[begin + length] != '"') {
            length++;
        }
        if (!Arrays.equals(value, begin, begin + length, lastEnd, 0, lastEnd.length)) {
            lastEnd = Arrays.copyOfRange(value, begin, begin + length);
            String text = new String(lastEnd, StandardCharsets.ISO_8859_1).replace(' ', 'T').replace("Z", "");
            Instant instant = LocalDateTime.parse(text).toInstant(ZoneOffset.UTC);
            lastEndUs = instant.getEpochSecond() * 1_000_000 + instant.getNano() / 1_000;
        }
        return lastEndUs;
    }

    private static long numberBehind(byte[] value, char name) {
        long number = 0;
        for (int digit = behind(value, name); digit < value.length && value[digit] >= '0' && value[digit] <= '9'; digit++) {
            number = number * 10 + value[digit] - '0';
        }
        return number;
    }

    /** The place behind the name of a field that has one letter. */
    private static int behind(byte[] value, char name) {
        for (int index = 0; index + 4 < value.length; index++) {
            if (value[index] == '"' && value[index + 1] == name && value[index + 2] == '"' && value[index + 3] == ':') {
                return index + 4;
            }
        }
        throw new IllegalStateException("no \"" + name + "\" in " + new String(value, StandardCharsets.UTF_8));
    }

    /** Processor time of the threads whose names begin so, seconds. */
    private static double cpu(String name) {
        var threads = ManagementFactory.getThreadMXBean();
        double seconds = 0;
        for (var thread : threads.getThreadInfo(threads.getAllThreadIds())) {
            if (thread != null && thread.getThreadName().startsWith(name)) {
                seconds += Math.max(0, threads.getThreadCpuTime(thread.getThreadId())) / 1e9;
            }
        }
        return seconds;
    }

    private static String percentiles(Histogram histogram) {
        return "{\"p50\":" + at(histogram, 50) + ",\"p90\":" + at(histogram, 90) + ",\"p99\":" + at(histogram, 99)
                + ",\"p999\":" + at(histogram, 99.9) + ",\"max\":" + histogram.getMaxValue() / 1e3 + "}";
    }

    private static double at(Histogram histogram, double percentile) {
        return histogram.getValueAtPercentile(percentile) / 1e3;
    }
}
