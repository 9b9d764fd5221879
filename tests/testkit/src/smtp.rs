//! A mail server on loopback, which keeps every mail.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// How often a mail is looked for.
const ATTEMPTS: usize = 500;

/// A mail as it arrived.
#[derive(Debug, Clone)]
pub struct ReceivedMail {
    /// The recipient of the envelope.
    pub to: String,
    /// Headers and body, without the soft line breaks of quoted-printable.
    pub text: String,
}

impl ReceivedMail {
    /// The first URL in the mail that begins like this.
    ///
    /// # Panics
    /// When there is none.
    pub fn url(&self, start: &str) -> String {
        let at = self.text.find(start).unwrap_or_else(|| panic!("no URL {start}: {}", self.text));
        let is_of_url = |c: &char| c.is_ascii_alphanumeric() || "-._~:/?#[]@!$&'()*+,;=%".contains(*c);
        self.text[at..].chars().take_while(is_of_url).collect()
    }
}

/// A mail server (RFC 5321) without authentication and encryption.
#[derive(Debug)]
pub struct MailServer {
    /// Where it listens.
    pub address: SocketAddr,
    mails: Arc<Mutex<Vec<ReceivedMail>>>,
}

impl MailServer {
    /// Starts it within the runtime of the test.
    ///
    /// # Panics
    /// When there is no port.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let mails = Arc::<Mutex<Vec<ReceivedMail>>>::default();
        let received = Arc::clone(&mails);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let received = Arc::clone(&received);
                // a client that hangs up in the middle sends no mail
                tokio::spawn(async move { serve(stream, &received).await.ok() });
            }
        });
        Self { address, mails }
    }

    /// All mails so far.
    pub fn mails(&self) -> Vec<ReceivedMail> {
        self.mails.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The mails once there are so many.
    ///
    /// # Panics
    /// When they do not arrive within ten seconds.
    pub async fn wait_for(&self, count: usize) -> Vec<ReceivedMail> {
        for _ in 0..ATTEMPTS {
            let mails = self.mails();
            if mails.len() >= count {
                return mails;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("{count} mails do not arrive: {:?}", self.mails());
    }
}

async fn serve(stream: TcpStream, mails: &Mutex<Vec<ReceivedMail>>) -> std::io::Result<()> {
    let (reader, mut writer) = stream.into_split();
    let mut lines = BufReader::new(reader).lines();
    let mut to = String::new();
    writer.write_all(b"220 localhost ESMTP\r\n").await?;
    while let Some(line) = lines.next_line().await? {
        let command = line.to_ascii_uppercase();
        let answer = if command.starts_with("DATA") {
            writer.write_all(b"354 go ahead\r\n").await?;
            let mut text = String::new();
            while let Some(line) = lines.next_line().await?.filter(|line| line != ".") {
                // RFC 5321 4.5.2
                text.push_str(line.strip_prefix('.').unwrap_or(&line));
                text.push_str("\r\n");
            }
            let text = text.replace("=\r\n", "").replace("=3D", "=");
            mails.lock().unwrap_or_else(PoisonError::into_inner).push(ReceivedMail { to: to.clone(), text });
            "250 accepted"
        } else if command.starts_with("RCPT TO:") {
            line["RCPT TO:".len()..].trim().trim_matches(['<', '>']).clone_into(&mut to);
            "250 accepted"
        } else if command.starts_with("QUIT") {
            writer.write_all(b"221 bye\r\n").await?;
            return Ok(());
        } else {
            // EHLO, MAIL, RSET, NOOP
            "250 localhost"
        };
        writer.write_all(format!("{answer}\r\n").as_bytes()).await?;
    }
    Ok(())
}
