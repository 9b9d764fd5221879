//! Sends in the background, again where the server does not take a message for now.

use std::sync::Arc;
use std::time::Duration;

use lettre::Message;
use lettre::message::Mailbox;
use runtime::Random;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::transport::{SendError, Transport};
use crate::{Mail, MailError, MailSettings};

/// How many messages may wait.
const QUEUE: usize = 256;
/// How many are sent at the same time.
const CONCURRENT: usize = 4;
/// How long one attempt may take.
const ATTEMPT: Duration = Duration::from_mins(1);
/// After how long each further attempt is made.
const BACKOFF: [Duration; 4] =
    [Duration::from_secs(5), Duration::from_secs(30), Duration::from_mins(2), Duration::from_mins(10)];
/// How long messages in transmission are waited for when the service stops.
const LAST_ATTEMPTS: Duration = Duration::from_secs(5);

/// Sends mail. Clones share the queue.
#[derive(Clone)]
pub struct Mailer(Arc<Inner>);

struct Inner {
    transport: Transport,
    sender: Mailbox,
    /// The places in the queue.
    places: Arc<Semaphore>,
    /// The connections.
    connections: Semaphore,
    deliveries: TaskTracker,
    shutdown: CancellationToken,
}

impl Mailer {
    /// Sends by these settings; `None` if no mail is sent. Must be called within a runtime of tokio.
    ///
    /// # Errors
    /// If the sender or the mail server cannot be used.
    pub fn open(
        settings: &MailSettings,
        random: Random,
        shutdown: CancellationToken,
    ) -> Result<Option<Self>, MailError> {
        let Some(transport) = Transport::open(settings, random)? else { return Ok(None) };
        Ok(Some(Self(Arc::new(Inner {
            transport,
            sender: settings.sender.parse()?,
            places: Arc::new(Semaphore::new(QUEUE)),
            connections: Semaphore::new(CONCURRENT),
            deliveries: TaskTracker::new(),
            shutdown,
        }))))
    }

    /// Puts a mail into the queue. That it is accepted does not say that it arrives.
    ///
    /// # Errors
    /// If the address is invalid, or too many messages wait.
    pub fn send(&self, mail: Mail) -> Result<(), MailError> {
        let message = mail.message(&self.0.sender)?;
        let place = Arc::clone(&self.0.places).try_acquire_owned().map_err(|_| MailError::Full)?;
        let inner = Arc::clone(&self.0);
        self.0.deliveries.spawn(async move {
            inner.deliver(&message, &mail.text).await;
            drop(place);
        });
        Ok(())
    }

    /// Waits for the shutdown, and then a few seconds for messages in transmission.
    pub async fn drain(self) {
        self.0.shutdown.cancelled().await;
        self.0.deliveries.close();
        if timeout(LAST_ATTEMPTS, self.0.deliveries.wait()).await.is_err() {
            tracing::warn!("mails are not sent, as the service stops");
        }
    }
}

impl Inner {
    async fn deliver(&self, message: &Message, text: &str) {
        for pause in BACKOFF.map(Some).into_iter().chain([None]) {
            match self.attempt(message, text).await {
                Ok(()) => return,
                Err(SendError::Permanent(error)) => {
                    tracing::error!(error, "a mail is not sent: the mail server refuses it");
                    return;
                }
                Err(SendError::Transient(error)) => {
                    let Some(pause) = pause else {
                        tracing::error!(error, "a mail is not sent: check the mail server (mail.host) and its log");
                        return;
                    };
                    tracing::warn!(error, again_in = pause.as_secs(), "a mail is not sent for now");
                    if self.shutdown.run_until_cancelled(tokio::time::sleep(pause)).await.is_none() {
                        tracing::warn!("a mail is not sent, as the service stops");
                        return;
                    }
                }
            }
        }
    }

    async fn attempt(&self, message: &Message, text: &str) -> Result<(), SendError> {
        let closed = |_| SendError::Permanent("the service stops".to_owned());
        let _connection = self.connections.acquire().await.map_err(closed)?;
        let sent = timeout(ATTEMPT, self.transport.send(message, text)).await;
        sent.unwrap_or_else(|_| Err(SendError::Transient("the mail server does not answer".to_owned())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mail() -> Mail {
        Mail {
            to: "einstein@cloud.example".to_owned(),
            subject: "Hello".to_owned(),
            text: "Hello".to_owned(),
            html: "<p>Hello</p>".to_owned(),
        }
    }

    fn settings(transport: String) -> MailSettings {
        MailSettings { transport, sender: "noreply@cloud.example".to_owned(), ..MailSettings::default() }
    }

    #[tokio::test]
    async fn file_transport_writes_one_file_for_each_mail() {
        let folder = tempfile::tempdir().expect("a folder");
        let settings = settings(format!("file:{}", folder.path().display()));
        let mailer =
            Mailer::open(&settings, Random::system(), CancellationToken::new()).expect("opens").expect("is on");
        mailer.send(mail()).expect("is accepted");
        mailer.send(mail()).expect("is accepted");
        mailer.0.deliveries.close();
        mailer.0.deliveries.wait().await;
        let names = std::fs::read_dir(folder.path()).expect("a folder").map(|entry| entry.expect("a file").path());
        let names: Vec<_> = names.collect();
        assert_eq!(names.len(), 2);
        assert!(names.iter().all(|name| name.extension().is_some_and(|extension| extension == "eml")), "{names:?}");
    }

    #[tokio::test]
    async fn full_queue_refuses_further_mail() {
        // a file in the place of the folder: no attempt succeeds
        let file = tempfile::NamedTempFile::new().expect("a file");
        let settings = settings(format!("file:{}/mail", file.path().display()));
        let mailer =
            Mailer::open(&settings, Random::system(), CancellationToken::new()).expect("opens").expect("is on");
        for _ in 0..QUEUE {
            mailer.send(mail()).expect("is accepted");
        }
        assert!(matches!(mailer.send(mail()), Err(MailError::Full)));
    }

    #[tokio::test]
    async fn no_mail_is_sent_without_settings() {
        assert!(
            Mailer::open(&MailSettings::default(), Random::system(), CancellationToken::new())
                .expect("opens")
                .is_none()
        );
    }
}
