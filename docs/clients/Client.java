// A client of a Countersign room: java Client.java BUNDLE HOST PORT
//
// Sends the lines of standard input, and prints what the server sends. Needs Java 17 and nothing else.
import java.io.*;
import java.nio.charset.StandardCharsets;
import java.nio.file.*;
import java.security.*;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.*;
import javax.net.ssl.*;

class Client {
    public static void main(String[] args) throws Exception {
        if (args.length != 3) fail("usage: java Client.java BUNDLE HOST PORT");
        String text = Files.readString(Path.of(args[0]));
        SSLSocket link = (SSLSocket) tls(text).createSocket(args[1], Integer.parseInt(args[2]));
        SSLParameters how = link.getSSLParameters();
        how.setProtocols(new String[] {"TLSv1.3"});
        how.setEndpointIdentificationAlgorithm("HTTPS"); // compares the certificate with the host
        link.setSSLParameters(how);
        String ownId = "id=" + text.lines().filter(line -> line.startsWith("# id = ")).findFirst()
            .orElseThrow().substring("# id = ".length()).strip();
        PrintStream out = new PrintStream(new FileOutputStream(FileDescriptor.out), true, StandardCharsets.UTF_8);
        boolean greeted = false;
        try {
            link.startHandshake();
            InputStream in = new BufferedInputStream(link.getInputStream());
            for (String line; (line = read(in)) != null; ) {
                if (!greeted && line.startsWith("!")) fail(line);
                out.println(line);
                if (!greeted && line.startsWith("= welcome ")) {
                    if (!Arrays.asList(line.split(" ")).contains(ownId)) fail("the server calls us by another name");
                    greeted = true; // from here on we are in the room, and not before
                    Thread typing = new Thread(() -> sendTyped(link));
                    typing.setDaemon(true);
                    typing.start();
                }
                if (line.startsWith("= bye ")) System.exit(0); // standard input may still be waited for
            }
        } catch (IOException error) {
            fail(error.getMessage());
        }
        fail("the server closed the connection");
    }

    /** Trusts the CA in the bundle, and presents the certificate in it. */
    static SSLSocketFactory tls(String text) throws Exception {
        List<Certificate> chain = new ArrayList<>();
        CertificateFactory reader = CertificateFactory.getInstance("X.509");
        for (byte[] der : sections(text, "CERTIFICATE"))
            chain.add(reader.generateCertificate(new ByteArrayInputStream(der)));
        // The first certificate is ours, the last is the CA's. Keys are PKCS#8, of elliptic curves or RSA.
        PrivateKey key = KeyFactory.getInstance(chain.get(0).getPublicKey().getAlgorithm())
            .generatePrivate(new PKCS8EncodedKeySpec(sections(text, "PRIVATE KEY").get(0)));
        KeyStore store = KeyStore.getInstance("PKCS12");
        store.load(null, null);
        store.setKeyEntry("own", key, new char[0], new Certificate[] {chain.get(0)});
        KeyManagerFactory own = KeyManagerFactory.getInstance("PKIX");
        own.init(store, new char[0]);
        KeyStore anchors = KeyStore.getInstance("PKCS12");
        anchors.load(null, null);
        anchors.setCertificateEntry("ca", chain.get(chain.size() - 1));
        TrustManagerFactory trust = TrustManagerFactory.getInstance("PKIX");
        trust.init(anchors);
        SSLContext context = SSLContext.getInstance("TLSv1.3");
        context.init(own.getKeyManagers(), trust.getTrustManagers(), null);
        return context.getSocketFactory();
    }

    static List<byte[]> sections(String text, String kind) {
        return Arrays.stream(text.split("-----BEGIN " + kind + "-----")).skip(1)
            .map(rest -> Base64.getMimeDecoder().decode(rest.split("-----END")[0])).toList();
    }

    /** Reads a whole line, however its bytes arrive; null at the end, where the rest is no line. */
    static String read(InputStream in) throws IOException {
        ByteArrayOutputStream line = new ByteArrayOutputStream();
        for (int next; (next = in.read()) != '\n'; line.write(next)) {
            if (next < 0) return null;
            if (line.size() > 65536) fail("the server sends a line without end");
        }
        return line.toString(StandardCharsets.UTF_8).stripTrailing();
    }

    static void sendTyped(SSLSocket link) {
        try (var typed = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8))) {
            OutputStream out = link.getOutputStream();
            for (String line; (line = typed.readLine()) != null; )
                out.write((line + "\n").getBytes(StandardCharsets.UTF_8));
            out.write("/quit\n".getBytes());
        } catch (IOException gone) { } // the reading end says why
    }

    static void fail(String words) {
        System.err.println(words);
        System.exit(1);
    }
}
