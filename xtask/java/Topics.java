// Topics made with one JVM, for `cargo xtask`.
//
//   java Topics BOOTSTRAP PARTITIONS NAME=VALUE,… TOPIC…
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;

public final class Topics {
    public static void main(String[] arguments) throws Exception {
        var settings = new HashMap<String, String>();
        for (String setting : arguments[2].split(",")) {
            if (!setting.isEmpty()) {
                String[] parts = setting.split("=", 2);
                settings.put(parts[0], parts[1]);
            }
        }
        var topics = new ArrayList<NewTopic>();
        for (String name : List.of(arguments).subList(3, arguments.length)) {
            topics.add(new NewTopic(name, Integer.parseInt(arguments[1]), (short) 1).configs(settings));
        }
        try (var admin = Admin.create(Map.of("bootstrap.servers", arguments[0]))) {
            admin.createTopics(topics).all().get();
        }
    }
}
