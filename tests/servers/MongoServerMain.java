import de.bwaldvogel.mongo.MongoServer;
import de.bwaldvogel.mongo.MongoVersion;
import de.bwaldvogel.mongo.backend.memory.MemoryBackend;
import java.io.File;
import java.security.KeyStore;
import java.security.PrivateKey;
import java.security.cert.X509Certificate;
import java.util.List;

/** Speaks MongoDB's protocol on a port of loopback, and keeps its documents in memory: PORT [KEYSTORE PASSWORD]. */
public class MongoServerMain {
    public static void main(String[] arguments) throws Exception {
        MongoVersion version = new MongoVersion() { // pymongo refuses those that the library knows
            public List<Integer> getVersionArray() { return List.of(4, 4, 0); }
            public int getWireVersion() { return 9; }
        };
        MongoServer server = new MongoServer(new MemoryBackend().version(version));
        if (arguments.length > 1) {
            char[] password = arguments[2].toCharArray();
            KeyStore keys = KeyStore.getInstance(new File(arguments[1]), password);
            String name = keys.aliases().nextElement();
            server.enableSsl(
                (PrivateKey) keys.getKey(name, password), null, (X509Certificate) keys.getCertificate(name));
        }
        server.bind("127.0.0.1", Integer.parseInt(arguments[0]));
        System.out.println("READY");
    }
}
