//! The mail that a provider sends, as files in a folder.

use std::fs;
use std::time::Duration;

use mail::MailSettings;
use tempfile::TempDir;

use super::Bench;
use crate::Config;
use crate::endpoints::page;

/// The address of the user `einstein` in tests with mail.
pub(crate) const ADDRESS: &str = "einstein@cloud.example";
/// How often a mail is looked for.
const ATTEMPTS: usize = 200;

/// A folder that gets a file for each mail.
pub(crate) struct MailBox(TempDir);

impl MailBox {
    /// A provider that sends mail, whose user has an address.
    pub(crate) async fn with_bench() -> (Bench, Self) {
        Self::with(|_| ()).await
    }

    /// The same with these settings changed.
    pub(crate) async fn with(change: impl FnOnce(&mut Config)) -> (Bench, Self) {
        let mail_box = Self(tempfile::tempdir().expect("a folder"));
        let transport = format!("file:{}", mail_box.0.path().display());
        let sender = "Cloud <noreply@cloud.example>".to_owned();
        let bench = Bench::with(|config| {
            config.mail = MailSettings { transport, sender, ..MailSettings::default() };
            change(config);
        });
        let bench = bench.await;
        bench.change(|user| {
            if let Some(user) = user {
                ADDRESS.clone_into(&mut user.mail);
            }
        });
        (bench, mail_box)
    }

    /// All mails so far, without the soft line breaks of quoted-printable.
    pub(crate) fn all(&self) -> Vec<String> {
        let files = fs::read_dir(self.0.path()).expect("a folder").map(|entry| entry.expect("a file").path());
        let mails = files.filter(|path| path.extension().is_some_and(|extension| extension == "eml"));
        mails.map(|path| fs::read_to_string(path).expect("text").replace("=\r\n", "").replace("=3D", "=")).collect()
    }

    /// The mails once there are so many.
    pub(crate) async fn wait_for(&self, count: usize) -> Vec<String> {
        for _ in 0..ATTEMPTS {
            let mails = self.all();
            if mails.len() >= count {
                return mails;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("there are {} mails, not {count}", self.all().len());
    }

    /// The secret of the link in a mail.
    #[track_caller]
    pub(crate) fn secret(mail: &str) -> String {
        let starts = [page::LINK, page::MAIL_LINK].map(|page| format!("{page}?link="));
        let found = starts.iter().find_map(|start| mail.split_once(start));
        let (_, rest) = found.unwrap_or_else(|| panic!("no link: {mail}"));
        rest.chars().take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_')).collect()
    }
}
