// Copyright the Tidegate authors. Licensed under the Apache License, Version 2.0.

import java.io.BufferedReader;
import java.io.ByteArrayOutputStream;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.ZoneId;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.LinkedHashSet;
import java.util.TimeZone;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.dag.Pipeline;
import org.apache.flink.client.deployment.executors.PipelineExecutorUtils;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.core.execution.JobClient;
import org.apache.flink.core.execution.PipelineExecutor;
import org.apache.flink.core.execution.PipelineExecutorFactory;
import org.apache.flink.core.execution.PipelineExecutorServiceLoader;
import org.apache.flink.runtime.client.JobStatusMessage;
import org.apache.flink.runtime.minicluster.MiniCluster;
import org.apache.flink.runtime.minicluster.MiniClusterConfiguration;
import org.apache.flink.runtime.minicluster.MiniClusterJobClient;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.JsonNode;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.ObjectMapper;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.node.ArrayNode;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.node.ObjectNode;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.graph.StreamGraph;
import org.apache.flink.table.api.EnvironmentSettings;
import org.apache.flink.table.api.ResultKind;
import org.apache.flink.table.api.Schema;
import org.apache.flink.table.api.Table;
import org.apache.flink.table.api.TableEnvironment;
import org.apache.flink.table.api.TableResult;
import org.apache.flink.table.api.bridge.java.StreamTableEnvironment;
import org.apache.flink.table.api.internal.TableResultInternal;
import org.apache.flink.table.catalog.Column;
import org.apache.flink.table.catalog.ResolvedSchema;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.data.conversion.DataStructureConverter;
import org.apache.flink.table.data.conversion.DataStructureConverters;
import org.apache.flink.table.types.DataType;
import org.apache.flink.table.types.logical.LogicalType;
import org.apache.flink.table.utils.print.RowDataToStringConverter;
import org.apache.flink.types.Row;
import org.apache.flink.util.CloseableIterator;

/**
 * Real Flink as an oracle: a warm JVM with one MiniCluster. It reads one request per line of
 * standard input (JSON) and answers with one line of JSON on standard output, in order. README.md
 * describes the protocol.
 */
public final class FlinkOracle {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final int EVAL_BATCH = 40;
    private static final Pattern SET =
            Pattern.compile("(?is)^\\s*SET\\s+'([^']+)'\\s*=\\s*'((?:[^']|'')*)'\\s*;?\\s*$");
    private static final Pattern RESET =
            Pattern.compile("(?is)^\\s*RESET(?:\\s+'([^']+)')?\\s*;?\\s*$");
    private static final Set<String> WRAPPERS =
            Set.of(
                    "java.util.concurrent.ExecutionException",
                    "java.util.concurrent.CompletionException",
                    "org.apache.flink.runtime.client.JobExecutionException",
                    "org.apache.flink.runtime.JobException",
                    "org.apache.flink.util.SerializedThrowable");

    private final MiniCluster cluster;
    private final Capture out = new Capture();
    private final Capture err = new Capture();

    private FlinkOracle(MiniCluster cluster) {
        this.cluster = cluster;
    }

    public static void main(String[] args) throws Exception {
        long jvmStart = ManagementFactory.getRuntimeMXBean().getStartTime();
        PrintStream answers = new PrintStream(new java.io.FileOutputStream(java.io.FileDescriptor.out), true, StandardCharsets.UTF_8);
        org.slf4j.LoggerFactory.getLogger(FlinkOracle.class).debug("logging binds to the real standard error");

        Configuration conf = new Configuration();
        conf.setString("rest.address", "localhost");
        conf.setString("rest.bind-address", "localhost");
        conf.setString("rest.port", "0");
        conf.setString("taskmanager.memory.network.min", "64m");
        conf.setString("taskmanager.memory.network.max", "64m");
        conf.setString("taskmanager.memory.managed.size", "256m");
        conf.setString("taskmanager.memory.segment-size", "32kb");
        MiniCluster cluster =
                new MiniCluster(
                        new MiniClusterConfiguration.Builder()
                                .setConfiguration(conf)
                                .setNumTaskManagers(1)
                                .setNumSlotsPerTaskManager(8)
                                .build());
        cluster.start();
        FlinkOracle oracle = new FlinkOracle(cluster);
        System.setOut(oracle.out.stream);
        System.setErr(oracle.err.stream);

        ObjectNode ready = JSON.createObjectNode();
        ready.put("ready", true);
        ready.put("flink", org.apache.flink.runtime.util.EnvironmentInformation.getVersion());
        ready.put("java", System.getProperty("java.version"));
        ready.put("start_ms", System.currentTimeMillis() - jvmStart);
        answers.println(JSON.writeValueAsString(ready));

        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line; (line = in.readLine()) != null; ) {
            if (line.isBlank()) {
                continue;
            }
            ObjectNode answer = JSON.createObjectNode();
            boolean quit = false;
            long start = System.nanoTime();
            try {
                JsonNode request = JSON.readTree(line);
                if (request.has("id")) {
                    answer.set("id", request.get("id"));
                }
                String op = request.path("op").asText("");
                quit = op.equals("quit");
                if (quit || op.equals("ping")) {
                    answer.put("ok", true);
                } else {
                    answer.setAll(oracle.bounded(request, op));
                }
            } catch (Throwable t) {
                answer.put("ok", false);
                answer.set("error", error(t, null));
            }
            answer.put("ms", (System.nanoTime() - start) / 1_000_000);
            answers.println(JSON.writeValueAsString(answer));
            if (quit) {
                break;
            }
        }
        // Nothing in this JVM outlives the conversation.
        Runtime.getRuntime().halt(0);
    }

    /** Runs one request on a thread of its own, for at most `timeout_ms`. */
    private ObjectNode bounded(JsonNode request, String op) throws Exception {
        ObjectNode answer = JSON.createObjectNode();
        FutureTask<ObjectNode> task =
                new FutureTask<>(
                        () -> {
                            switch (op) {
                                case "script":
                                    script(request, answer);
                                    break;
                                case "eval":
                                    eval(request, answer);
                                    break;
                                default:
                                    throw new IllegalArgumentException("unknown op '" + op + "'");
                            }
                            return answer;
                        });
        Thread thread = new Thread(task, "request");
        thread.setDaemon(true);
        thread.start();
        long timeout = request.path("timeout_ms").asLong(60_000);
        try {
            return task.get(timeout, TimeUnit.MILLISECONDS);
        } catch (TimeoutException e) {
            cancelJobs();
            try {
                // A cancelled job ends the statement; what it gave so far is in the answer.
                task.get(10, TimeUnit.SECONDS);
            } catch (Exception ignored) {
                thread.interrupt();
                thread.join(2_000);
            }
            ObjectNode late = thread.isAlive() ? JSON.createObjectNode() : answer;
            late.put("ok", false);
            late.put("timeout", true);
            late.set("error", error(new TimeoutException("no end within " + timeout + " ms"), null));
            return late;
        } catch (ExecutionException e) {
            answer.put("ok", false);
            answer.set("error", error(e.getCause(), null));
            return answer;
        } finally {
            cancelJobs();
        }
    }

    private void cancelJobs() throws Exception {
        for (JobStatusMessage job : cluster.listJobs().get(10, TimeUnit.SECONDS)) {
            if (!job.getJobState().isGloballyTerminalState()) {
                try {
                    cluster.cancelJob(job.getJobId()).get(10, TimeUnit.SECONDS);
                    cluster.requestJobResult(job.getJobId()).get(10, TimeUnit.SECONDS);
                } catch (ExecutionException ignored) {
                    // It ended in the meantime.
                }
            }
        }
    }

    private TableEnvironment environment(JsonNode settings, JsonNode strings) {
        Configuration conf = new Configuration();
        conf.setString("parallelism.default", "1");
        conf.setString("execution.runtime-mode", "STREAMING");
        conf.setString("table.local-time-zone", "UTC");
        conf.setString("restart-strategy.type", "none");
        conf.setString("execution.target", "oracle");
        for (Iterator<Map.Entry<String, JsonNode>> it = settings.fields(); it.hasNext(); ) {
            Map.Entry<String, JsonNode> e = it.next();
            conf.setString(e.getKey(), e.getValue().asText());
        }
        StreamExecutionEnvironment env =
                new StreamExecutionEnvironment(new Loader(), conf, FlinkOracle.class.getClassLoader());
        StreamTableEnvironment tables =
                StreamTableEnvironment.create(
                        env, EnvironmentSettings.newInstance().withConfiguration(conf).build());
        tables.getConfig().addConfiguration(conf);
        if (strings.isArray()) {
            // A source that the optimizer cannot see through: nothing of it is folded.
            List<Row> rows = new ArrayList<>();
            for (JsonNode s : strings) {
                rows.add(Row.of(rows.size(), s.isNull() ? null : s.asText()));
            }
            tables.createTemporaryView(
                    "src",
                    env.fromData(rows, Types.ROW_NAMED(new String[] {"i", "s"}, Types.INT, Types.STRING)),
                    Schema.newBuilder().column("i", "INT NOT NULL").column("s", "STRING").build());
        }
        return tables;
    }

    private void script(JsonNode request, ObjectNode answer) throws Exception {
        Path dir = null;
        out.reset();
        err.reset();
        ArrayNode results = answer.putArray("statements");
        boolean ok = true;
        try {
            dir = Files.createTempDirectory("flink-oracle-");
            for (Iterator<Map.Entry<String, JsonNode>> it = request.path("files").fields(); it.hasNext(); ) {
                Map.Entry<String, JsonNode> e = it.next();
                Path file = dir.resolve(e.getKey());
                Files.createDirectories(file.getParent());
                Files.write(file, e.getValue().asText().getBytes(StandardCharsets.UTF_8));
            }
            TableEnvironment tables = environment(request.path("settings"), request.path("strings"));
            boolean keepGoing = request.path("keep_going").asBoolean(false);
            String render = request.path("render").asText("cast");
            int maxRows = request.path("max_rows").asInt(1_000_000);
            for (JsonNode statement : request.path("statements")) {
                ObjectNode result = results.addObject();
                if (!ok && !keepGoing) {
                    result.put("ok", false);
                    result.put("skipped", true);
                    continue;
                }
                long start = System.nanoTime();
                try {
                    statement(tables, statement.asText().replace("${DIR}", dir.toString()), render, maxRows, result);
                    result.put("ok", true);
                } catch (Throwable t) {
                    ok = false;
                    result.put("ok", false);
                    result.set("error", error(t, dir));
                }
                result.put("ms", (System.nanoTime() - start) / 1_000_000);
                out.drainInto(result, "printed");
                err.drainInto(result, "printed_err");
            }
            if (request.has("read")) {
                ObjectNode read = answer.putObject("files");
                for (JsonNode name : request.get("read")) {
                    readFiles(dir.resolve(name.asText()), dir, read);
                }
            }
        } finally {
            if (dir != null) {
                try (Stream<Path> paths = Files.walk(dir)) {
                    for (Path p : (Iterable<Path>) paths.sorted(Comparator.reverseOrder())::iterator) {
                        Files.deleteIfExists(p);
                    }
                }
            }
        }
        answer.put("ok", ok);
    }

    private static void readFiles(Path root, Path dir, ObjectNode read) throws Exception {
        if (!Files.exists(root)) {
            return;
        }
        TreeMap<String, String> contents = new TreeMap<>();
        try (Stream<Path> paths = Files.walk(root)) {
            for (Path p : (Iterable<Path>) paths.filter(Files::isRegularFile)::iterator) {
                contents.put(dir.relativize(p).toString(), Files.readString(p));
            }
        }
        contents.forEach(read::put);
    }

    private void statement(TableEnvironment tables, String sql, String render, int maxRows, ObjectNode result)
            throws Exception {
        Matcher set = SET.matcher(sql);
        if (set.matches()) {
            tables.getConfig().set(set.group(1), set.group(2).replace("''", "'"));
            result.put("kind", "SET");
            return;
        }
        Matcher reset = RESET.matcher(sql);
        if (reset.matches() && reset.group(1) != null) {
            tables.getConfig().getConfiguration().removeKey(reset.group(1));
            result.put("kind", "RESET");
            return;
        }
        TableResult table = tables.executeSql(sql);
        boolean insert = table.getJobClient().isPresent() && table.getResultKind() == ResultKind.SUCCESS_WITH_CONTENT
                && isModify(sql);
        result.put("kind", insert ? "INSERT" : table.getResultKind() == ResultKind.SUCCESS ? "DDL" : "ROWS");
        if (insert) {
            table.await();
            return;
        }
        if (table.getResultKind() == ResultKind.SUCCESS) {
            return;
        }
        columns(table.getResolvedSchema(), result.putArray("columns"));
        collect((TableResultInternal) table, render, maxRows, result.putArray("rows"));
    }

    private static boolean isModify(String sql) {
        String s = sql.replaceAll("(?s)/\\*.*?\\*/", " ").replaceAll("--[^\\n]*", " ").stripLeading().toUpperCase();
        return s.startsWith("INSERT") || s.startsWith("EXECUTE") || s.startsWith("UPDATE") || s.startsWith("DELETE")
                || s.startsWith("CREATE") || s.startsWith("REPLACE");
    }

    private static void columns(ResolvedSchema schema, ArrayNode columns) {
        for (Column c : schema.getColumns()) {
            ObjectNode column = columns.addObject();
            column.put("name", c.getName());
            column.put("type", c.getDataType().getLogicalType().asSummaryString());
        }
    }

    /** Gathers rows as [kind, field…]. */
    private static void collect(TableResultInternal table, String render, int maxRows, ArrayNode rows) throws Exception {
        DataType type = table.getResolvedSchema().toPhysicalRowDataType();
        LogicalType[] fields = type.getLogicalType().getChildren().toArray(new LogicalType[0]);
        RowDataToStringConverter toCast = table.getRowDataToStringConverter();
        DataStructureConverter<Object, Object> toExternal = null;
        if (render.equals("print")) {
            toExternal = DataStructureConverters.getConverter(type);
            toExternal.open(FlinkOracle.class.getClassLoader());
        }
        try (CloseableIterator<RowData> it = table.collectInternal()) {
            while (rows.size() < maxRows && it.hasNext()) {
                RowData row = it.next();
                ArrayNode r = rows.addArray();
                r.add(row.getRowKind().shortString());
                String[] text = toExternal == null ? toCast.convert(row) : external((Row) toExternal.toExternal(row));
                for (int i = 0; i < fields.length; i++) {
                    if (row.isNullAt(i)) {
                        r.addNull();
                    } else {
                        r.add(text[i]);
                    }
                }
            }
        }
    }

    /** Each field as the print connector prints it. */
    private static String[] external(Row row) {
        String[] text = new String[row.getArity()];
        for (int i = 0; i < text.length; i++) {
            String one = Row.of(row.getField(i)).toString();
            text[i] = one.substring(3, one.length() - 1);
        }
        return text;
    }

    private void eval(JsonNode request, ObjectNode answer) throws Exception {
        TableEnvironment tables = environment(request.path("settings"), request.path("strings"));
        String from =
                request.hasNonNull("from")
                        ? " FROM " + request.get("from").asText()
                        : request.has("strings") ? " FROM src" : "";
        String render = request.path("render").asText("cast");
        ArrayNode results = answer.putArray("results");
        List<String> sql = new ArrayList<>();
        List<Integer> good = new ArrayList<>();
        for (JsonNode e : request.path("expressions")) {
            ObjectNode result = results.addObject();
            sql.add(e.asText());
            try {
                Table t = tables.sqlQuery("SELECT " + e.asText() + " AS c0" + from);
                result.put("type", t.getResolvedSchema().getColumnDataTypes().get(0).getLogicalType().asSummaryString());
                good.add(sql.size() - 1);
            } catch (Throwable t) {
                result.put("ok", false);
                result.put("when", "validate");
                result.set("error", error(t, null));
            }
        }
        for (int i = 0; i < good.size(); i += EVAL_BATCH) {
            evalSome(tables, sql, good.subList(i, Math.min(good.size(), i + EVAL_BATCH)), from, render, results);
        }
        answer.put("ok", true);
    }

    /** Evaluates expressions in one job; halves the set when that fails, until the guilty one stands alone. */
    private void evalSome(TableEnvironment tables, List<String> sql, List<Integer> which, String from, String render, ArrayNode results)
            throws Exception {
        StringBuilder query = new StringBuilder("SELECT ");
        for (int i = 0; i < which.size(); i++) {
            query.append(i == 0 ? "" : ", ").append(sql.get(which.get(i))).append(" AS c").append(i);
        }
        ArrayNode rows = JSON.createArrayNode();
        try {
            collect((TableResultInternal) tables.executeSql(query + from), render, 1_000_000, rows);
        } catch (Throwable t) {
            if (Thread.interrupted()) {
                throw new InterruptedException();
            }
            if (which.size() == 1) {
                ObjectNode result = (ObjectNode) results.get(which.get(0));
                result.put("ok", false);
                result.put("when", "run");
                result.set("error", error(t, null));
            } else {
                evalSome(tables, sql, which.subList(0, which.size() / 2), from, render, results);
                evalSome(tables, sql, which.subList(which.size() / 2, which.size()), from, render, results);
            }
            return;
        }
        for (int i = 0; i < which.size(); i++) {
            ObjectNode result = (ObjectNode) results.get(which.get(i));
            result.put("ok", true);
            if (from.isEmpty()) {
                result.set("value", rows.get(0).get(i + 1));
            } else {
                ArrayNode values = result.putArray("values");
                for (JsonNode row : rows) {
                    values.add(row.get(i + 1));
                }
            }
        }
    }

    /** The useful messages of a chain of causes, outermost first; `message` is the deepest one. */
    private static ObjectNode error(Throwable thrown, Path dir) {
        Set<String> chain = new LinkedHashSet<>();
        String last = null;
        String kind = null;
        int depth = 0;
        for (Throwable t = thrown; t != null && depth < 40; t = t.getCause(), depth++) {
            String message = t.getMessage();
            String name = t.getClass().getName();
            if (message == null) {
                message = t.getCause() == null ? name : null;
            }
            if (message == null || WRAPPERS.contains(name) || (t.getCause() != null && message.startsWith(t.getCause().getClass().getName()))) {
                continue;
            }
            if (dir != null) {
                message = message.replace(dir.toString(), "${DIR}");
            }
            String simple = name.substring(name.lastIndexOf('.') + 1);
            chain.add(simple + ": " + message);
            last = message;
            kind = simple;
        }
        if (last == null) {
            last = String.valueOf(thrown);
            kind = thrown.getClass().getSimpleName();
        }
        ObjectNode error = JSON.createObjectNode();
        error.put("kind", kind);
        error.put("message", last);
        ArrayNode list = error.putArray("chain");
        chain.forEach(list::add);
        return error;
    }

    /** Sends every job of every environment to the one MiniCluster. */
    private final class Loader implements PipelineExecutorServiceLoader, PipelineExecutorFactory, PipelineExecutor {
        @Override
        public PipelineExecutorFactory getExecutorFactory(Configuration configuration) {
            return this;
        }

        @Override
        public Stream<String> getExecutorNames() {
            return Stream.of("oracle");
        }

        @Override
        public String getName() {
            return "oracle";
        }

        @Override
        public boolean isCompatibleWith(Configuration configuration) {
            return true;
        }

        @Override
        public PipelineExecutor getExecutor(Configuration configuration) {
            return this;
        }

        @Override
        public CompletableFuture<JobClient> execute(Pipeline pipeline, Configuration configuration, ClassLoader loader)
                throws Exception {
            StreamGraph graph = PipelineExecutorUtils.getStreamGraph(pipeline, configuration);
            graph.serializeUserDefinedInstances();
            return cluster.submitJob(graph)
                    .thenApply(
                            r ->
                                    new MiniClusterJobClient(
                                            r.getJobID(),
                                            cluster,
                                            loader,
                                            MiniClusterJobClient.JobFinalizationBehavior.NOTHING));
        }
    }

    /** Keeps what the print connector writes to a standard stream. */
    private static final class Capture {
        private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        final PrintStream stream = new PrintStream(bytes, true, StandardCharsets.UTF_8);

        void reset() {
            synchronized (stream) {
                bytes.reset();
            }
        }

        void drainInto(ObjectNode result, String name) {
            String text;
            synchronized (stream) {
                text = bytes.toString(StandardCharsets.UTF_8);
                bytes.reset();
            }
            if (!text.isEmpty()) {
                ArrayNode lines = result.putArray(name);
                text.lines().forEach(lines::add);
            }
        }
    }
}
