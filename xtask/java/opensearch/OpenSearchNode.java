import java.util.concurrent.CountDownLatch;
import org.codelibs.opensearch.runner.OpenSearchRunner;

/** One node of OpenSearch. Arguments: the folder for its data, the port of its REST API, and that for other nodes. */
public class OpenSearchNode extends OpenSearchRunner {
    public static void main(String[] arguments) {
        OpenSearchNode node = new OpenSearchNode();
        // Any port will do: the runner would look for one below 9300.
        node.maxHttpPort = -1;
        int port = Integer.parseInt(arguments[1]);
        try {
            node.onBuild((number, settings) -> {
                settings.put("network.host", "127.0.0.1");
                settings.put("transport.port", arguments[2]);
                settings.put("cluster.routing.allocation.disk.threshold_enabled", false);
            });
            // A node's port is the base and its number.
            node.build(newConfigs().basePath(arguments[0]).numOfNode(1).baseHttpPort(port - 1));
            new CountDownLatch(1).await();
        } catch (Exception error) {
            error.printStackTrace();
            System.exit(1);
        }
    }
}
