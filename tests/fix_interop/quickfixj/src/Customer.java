import java.io.FileInputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import quickfix.Application;
import quickfix.DefaultMessageFactory;
import quickfix.Group;
import quickfix.MemoryStoreFactory;
import quickfix.SLF4JLogFactory;
import quickfix.Message;
import quickfix.Session;
import quickfix.SessionID;
import quickfix.SessionSettings;
import quickfix.SocketInitiator;
import quickfix.field.MsgType;

/** QuickFIX/J as a customer: PORT TRUST_STORE FOLDER TOKEN REQUEST… It prints as quickfix_client.py does. */
public final class Customer implements Application {
    private static final String NAME = "quickfixj";
    private final String[] arguments;

    private Customer(String[] arguments) {
        this.arguments = arguments;
    }

    private static synchronized void say(String word, String message) {
        System.out.println((word + " " + message).stripTrailing());
        System.out.flush();
    }

    @Override
    public void onCreate(SessionID id) {}

    @Override
    public void onLogon(SessionID id) {
        say("up", "");
        for (int place = 4; place < arguments.length; place++) {
            String[] wanted = arguments[place].split(":");
            Message request = new Message();
            request.getHeader().setString(MsgType.FIELD, "V");
            request.setString(262, wanted[0]);
            request.setString(263, "1");
            request.setString(264, wanted[2]);
            request.setString(265, wanted[3]);
            request.setString(266, wanted[4]);
            for (String side : new String[] {"0", "1"}) {
                Group entry = new Group(267, 269);
                entry.setString(269, side);
                request.addGroup(entry);
            }
            Group instrument = new Group(146, 55);
            instrument.setString(55, wanted[1]);
            request.addGroup(instrument);
            Session.lookupSession(id).send(request);
        }
    }

    @Override
    public void onLogout(SessionID id) {
        say("down", "");
    }

    @Override
    public void toAdmin(Message message, SessionID id) {
        if (message instanceof quickfix.fix44.Logon) {
            message.setString(553, NAME);
            message.setString(554, arguments[3]);
        }
        sayIf("3", message);
    }

    @Override
    public void toApp(Message message, SessionID id) {
        sayIf("j", message);
    }

    private static void sayIf(String type, Message message) {
        try {
            if (message.getHeader().getString(MsgType.FIELD).equals(type)) {
                say("bad", message.toString());
            }
        } catch (quickfix.FieldNotFound impossible) {
            say("bad", message.toString());
        }
    }

    @Override
    public void fromAdmin(Message message, SessionID id) {}

    @Override
    public void fromApp(Message message, SessionID id) {
        say("in", message.toString());
    }

    public static void main(String[] arguments) throws Exception {
        Path file = Path.of(arguments[2], "quickfixj.cfg");
        Files.writeString(file, String.join("\n",
            "[DEFAULT]",
            "ConnectionType=initiator",
            "ReconnectInterval=1",
            "StartTime=00:00:00",
            "EndTime=00:00:00",
            "HeartBtInt=5",
            "ResetOnLogon=Y",
            "UseDataDictionary=Y",
            "DataDictionary=FIX44.xml",
            "SocketUseSSL=Y",
            "SocketTrustStore=" + arguments[1],
            "SocketTrustStorePassword=changeit",
            "TrustStoreType=PKCS12",
            "EndpointIdentificationAlgorithm=HTTPS",
            "SocketConnectHost=127.0.0.1",
            "SocketConnectPort=" + arguments[0],
            "[SESSION]",
            "BeginString=FIX.4.4",
            "SenderCompID=" + NAME,
            "TargetCompID=DRAGONFLY-MD", ""));
        SessionSettings settings;
        try (FileInputStream read = new FileInputStream(file.toFile())) {
            settings = new SessionSettings(read);
        }
        new SocketInitiator(
            new Customer(arguments),
            new MemoryStoreFactory(),
            settings,
            new SLF4JLogFactory(settings),
            new DefaultMessageFactory())
            .start();
        Thread.sleep(Long.MAX_VALUE);
    }
}
