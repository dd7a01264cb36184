import org.apache.hadoop.hbase.master.HMaster;
import org.apache.hadoop.hbase.rest.RESTServer;

/** HBase with its ZooKeeper and its REST gateway in one process; `hbase-site.xml` in the class path says the rest. */
public class HBaseWithRest {
    public static void main(String[] arguments) {
        Thread cluster = new Thread(() -> run(() -> HMaster.main(new String[] {"start"})));
        cluster.start();
        run(() -> RESTServer.main(new String[] {"start"}));
    }

    private interface Work {
        void run() throws Exception;
    }

    /** Threads of either would keep the process where the other has failed. */
    private static void run(Work work) {
        try {
            work.run();
        } catch (Throwable error) {
            error.printStackTrace();
            System.exit(1);
        }
    }
}
