import java.net.InetSocketAddress;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.hive.metastore.HiveMetaStore;
import org.apache.hadoop.hive.metastore.IHMSHandler;
import org.apache.hadoop.hive.metastore.RetryingHMSHandler;
import org.apache.hadoop.hive.metastore.api.ThriftHiveMetastore;
import org.apache.hadoop.hive.metastore.conf.MetastoreConf;
import org.apache.thrift.server.TThreadPoolServer;
import org.apache.thrift.transport.TServerSocket;

/**
 * Hive's metastore on the loopback address; its own program listens on all. Arguments: the folder for its data, and the
 * port of its Thrift service.
 */
public class HiveMetastoreServer {
    public static void main(String[] arguments) {
        try {
            serve(arguments[0], Integer.parseInt(arguments[1]));
        } catch (Throwable error) {
            // Threads of its own would keep the process.
            error.printStackTrace();
            System.exit(1);
        }
    }

    private static void serve(String folder, int port) throws Exception {
        Configuration settings = MetastoreConf.newMetastoreConf();
        settings.set("javax.jdo.option.ConnectionURL", "jdbc:derby:;databaseName=" + folder + "/derby;create=true");
        settings.set("javax.jdo.option.ConnectionDriverName", "org.apache.derby.jdbc.EmbeddedDriver");
        settings.set("datanucleus.schema.autoCreateAll", "true");
        settings.set("metastore.schema.verification", "false");
        settings.set("metastore.warehouse.dir", folder + "/warehouse");
        settings.set("metastore.event.db.notification.api.auth", "false");
        settings.set("metastore.thrift.uris", "");
        settings.set("metastore.expression.proxy", "org.apache.hadoop.hive.metastore.DefaultPartitionExpressionProxy");
        // The others are in jars of Hive itself.
        settings.set("metastore.task.threads.always", "org.apache.hadoop.hive.metastore.events.EventCleanerTask");
        HiveMetaStore.HMSHandler base = new HiveMetaStore.HMSHandler("metastore", settings, false);
        IHMSHandler handler = RetryingHMSHandler.getProxy(settings, base, true);
        InetSocketAddress address = new InetSocketAddress("127.0.0.1", port);
        TThreadPoolServer.Args server =
                new TThreadPoolServer.Args(new TServerSocket(address))
                        .processor(new ThriftHiveMetastore.Processor<>(handler))
                        .minWorkerThreads(1)
                        .maxWorkerThreads(20);
        new TThreadPoolServer(server).serve();
    }
}
