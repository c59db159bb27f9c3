/*
 * The HTTP clients of Java, and those of Apache for it; see
 * t/clients/run for what they are asked.
 *
 * usage: java Clients CLIENT
 */

import java.io.BufferedReader;
import java.io.FileInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.net.Authenticator;
import java.net.HttpURLConnection;
import java.net.PasswordAuthentication;
import java.net.URI;
import java.net.URL;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import java.time.Duration;
import java.util.Map;
import javax.net.ssl.HttpsURLConnection;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;


public class Clients {

    static final int TIMEOUT = 10;

    interface Client {
        int ask(URL url, String method, String user, String password)
            throws Exception;
    }

    static final Map<String, Client> CLIENTS = Map.of(
        "HttpURLConnection", Clients::askConnection,
        "HttpClient", Clients::askHttpClient,
        "HttpClient4", Clients::askApache4,
        "HttpClient5", Clients::askApache5);


    static SSLContext tls(String method) throws Exception {
        KeyStore authorities = KeyStore.getInstance("PKCS12");
        authorities.load(null, null);

        try (InputStream in = new FileInputStream(System.getenv("DM_CA"))) {
            authorities.setCertificateEntry("ca", CertificateFactory
                .getInstance("X.509").generateCertificate(in));
        }

        TrustManagerFactory trust = TrustManagerFactory.getInstance("PKIX");
        trust.init(authorities);

        KeyManagerFactory keys = KeyManagerFactory.getInstance("PKIX");
        keys.init(own(method), "password".toCharArray());

        SSLContext made = SSLContext.getInstance("TLS");
        made.init(keys.getKeyManagers(), trust.getTrustManagers(), null);

        return made;
    }


    static KeyStore own(String method) throws Exception {
        KeyStore made = KeyStore.getInstance("PKCS12");

        if (!method.equals("x509")) {
            made.load(null, null);
            return made;
        }

        try (InputStream in = new FileInputStream(System.getenv("DM_P12"))) {
            made.load(in, "password".toCharArray());
        }

        return made;
    }


    /* what is remembered of passwords is remembered by this object */
    static Authenticator authenticator(String user, String password) {
        return new Authenticator() {
            @Override
            protected PasswordAuthentication getPasswordAuthentication() {
                return new PasswordAuthentication(user,
                                                  password.toCharArray());
            }
        };
    }


    static int askConnection(URL url, String method, String user,
        String password) throws Exception
    {
        HttpURLConnection connection =
            (HttpURLConnection) url.openConnection();

        connection.setConnectTimeout(TIMEOUT * 1000);
        connection.setReadTimeout(TIMEOUT * 1000);

        if (connection instanceof HttpsURLConnection) {
            ((HttpsURLConnection) connection)
                .setSSLSocketFactory(tls(method).getSocketFactory());
        }

        if (!method.equals("x509")) {
            connection.setAuthenticator(authenticator(user, password));
        }

        try {
            return connection.getResponseCode();

        } finally {
            connection.disconnect();
        }
    }


    static int askHttpClient(URL url, String method, String user,
        String password) throws Exception
    {
        if (method.equals("digest")) {
            throw new IOException("java.net.http has no Digest");
        }

        HttpClient.Builder builder = HttpClient.newBuilder()
            .version(HttpClient.Version.HTTP_1_1)
            .sslContext(tls(method));

        if (method.equals("basic")) {
            builder.authenticator(authenticator(user, password));
        }

        return builder.build().send(
            HttpRequest.newBuilder(url.toURI())
                .timeout(Duration.ofSeconds(TIMEOUT)).build(),
            HttpResponse.BodyHandlers.discarding()).statusCode();
    }


    static int askApache4(URL url, String method, String user,
        String password) throws Exception
    {
        var credentials =
            new org.apache.http.impl.client.BasicCredentialsProvider();

        if (!method.equals("x509")) {
            credentials.setCredentials(
                org.apache.http.auth.AuthScope.ANY,
                new org.apache.http.auth.UsernamePasswordCredentials(
                    user, password));
        }

        try (var client = org.apache.http.impl.client.HttpClients.custom()
                 .setSSLContext(tls(method))
                 .setDefaultCredentialsProvider(credentials).build();
             var response = client.execute(
                 new org.apache.http.client.methods.HttpGet(url.toURI())))
        {
            return response.getStatusLine().getStatusCode();
        }
    }


    static int askApache5(URL url, String method, String user,
        String password) throws Exception
    {
        var credentials = new org.apache.hc.client5.http.impl.auth
            .BasicCredentialsProvider();

        if (!method.equals("x509")) {
            credentials.setCredentials(
                new org.apache.hc.client5.http.auth.AuthScope(null, -1),
                new org.apache.hc.client5.http.auth
                    .UsernamePasswordCredentials(
                        user, password.toCharArray()));
        }

        var connections = org.apache.hc.client5.http.impl.io
            .PoolingHttpClientConnectionManagerBuilder.create()
            .setSSLSocketFactory(
                new org.apache.hc.client5.http.ssl.SSLConnectionSocketFactory(
                    tls(method)))
            .build();

        try (var client = org.apache.hc.client5.http.impl.classic.HttpClients
                 .custom().setConnectionManager(connections)
                 .setDefaultCredentialsProvider(credentials).build())
        {
            return client.execute(
                new org.apache.hc.client5.http.classic.methods.HttpGet(
                    url.toURI()), response -> response.getCode());
        }
    }


    static String version(String client) throws IOException {
        switch (client) {

        case "HttpClient4":
            return org.apache.http.util.VersionInfo.loadVersionInfo(
                "org.apache.http.client", null).getRelease();

        case "HttpClient5":
            return org.apache.hc.core5.util.VersionInfo.loadVersionInfo(
                "org.apache.hc.client5", null).getRelease();

        default:
            return System.getProperty("java.version");
        }
    }


    public static void main(String[] args) throws Exception {
        BufferedReader in =
            new BufferedReader(new InputStreamReader(System.in));
        Client client = CLIENTS.get(args[0]);
        String line;

        System.out.println(version(args[0]));

        while ((line = in.readLine()) != null) {
            String[] f = line.split("\t", -1);

            try {
                System.out.println(client.ask(new URI(f[0]).toURL(), f[1],
                                              f[2], f[3]));
            } catch (Exception e) {
                System.out.println("0 " + String.valueOf(e)
                                              .replaceAll("\\s+", " "));
            }
        }
    }
}
