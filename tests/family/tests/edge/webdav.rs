//! A plain `WebDAV` server behind the edge, and the clients that people have: curl, rclone, and a browser.

use std::fs::{self, File};
use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use testkit::{Layout, Mode, TestFamily, free_address, report_missing};

/// Whether a program is there. Without it the test fails, unless it is known that it is not there.
fn has(program: &str) -> bool {
    let found = Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok();
    if !found {
        report_missing(program, "install its Debian package");
    }
    found
}

/// A server without users; it ends with the test.
struct Dav(Child);

impl Dav {
    async fn start(folder: &Path, address: SocketAddr) -> Self {
        let mut rclone = Command::new("rclone");
        rclone.args(["serve", "webdav"]).arg(folder).args(["--addr", &address.to_string(), "--config", "/dev/null"]);
        let started = Self(rclone.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("rclone starts"));
        for _ in 0..200 {
            if TcpStream::connect(address).is_ok() {
                return started;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("rclone does not serve");
    }
}

impl Drop for Dav {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn output(command: &mut Command) -> String {
    let output = command.output().expect("it starts");
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The most memory that a process has held, in MiB.
fn peak(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("the process runs");
    let line = status.lines().find(|line| line.starts_with("VmHWM")).expect("Linux tells");
    line.split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok()).expect("a number") / 1024
}

const GIB: u64 = 1024 * 1024 * 1024;

#[tokio::test(flavor = "multi_thread")]
async fn a_gibibyte_streams_through_the_process_of_the_edge() {
    if !has("rclone") || !has("curl") || !has("chromium") {
        return;
    }
    let mut layout = Layout::new("process-edge-webdav", false);
    let (folder, address) = (layout.folder().join("dav"), free_address());
    fs::create_dir(&folder).expect("a folder");
    fs::write(folder.join("page.html"), PAGE).expect("writes");
    let _dav = Dav::start(&folder, address).await;
    let file = layout.folder().join("routes.yaml");
    fs::write(&file, format!("routes: [{{ path: /, backend: 'http://{address}' }}]")).expect("writes");
    layout.set("PROXY_ROUTES_FILE", &file.display().to_string());
    layout.set("PROXY_TLS", "false");
    let edge = format!("http://{}", layout.variables()["PROXY_HTTP_ADDR"]);
    let family = TestFamily::start_with(layout, Mode::Processes, |context| context).await;
    let token = family.app_token("einstein").await;
    let pid = family.pid(doorward::ServiceId::Proxy);
    let work = family.layout.folder().to_owned();
    let clients = move || {
        programs(&work, &edge, &token, pid);
        browser(&work, &edge, &token);
    };
    tokio::task::spawn_blocking(clients).await.expect("the clients end");
}

fn programs(work: &Path, edge: &str, token: &str, pid: u32) {
    let big = work.join("big");
    let mut file = File::create(&big).expect("a file");
    file.write_all(b"begin").expect("writes");
    file.set_len(GIB).expect("a sparse file");
    let login = format!("einstein:{token}");
    let curl = |arguments: &[&str]| output(Command::new("curl").args(["-sS", "--fail", "-u", &login]).args(arguments));
    let before = peak(pid);
    curl(&["-T", &big.display().to_string(), &format!("{edge}/big")]);
    assert_eq!(fs::metadata(work.join("dav/big")).expect("it arrived").len(), GIB);
    let list = curl(&["-X", "PROPFIND", "-H", "Depth: 1", &format!("{edge}/")]);
    assert!(list.contains("<D:href>/big</D:href>"), "{list}");
    curl(&["-o", &work.join("back").display().to_string(), &format!("{edge}/big")]);
    assert_eq!(fs::metadata(work.join("back")).expect("it came back").len(), GIB);
    let grown = peak(pid) - before;
    eprintln!("{before} MiB before, {grown} MiB more for 1 GiB up and down");
    assert!(grown < 32, "{grown} MiB more for 1 GiB");

    let hidden = output(Command::new("rclone").args(["obscure", token]));
    let rclone = |arguments: &[&str]| {
        let mut command = Command::new("rclone");
        command.env("RCLONE_CONFIG_EDGE_TYPE", "webdav").env("RCLONE_CONFIG_EDGE_URL", edge);
        command.env("RCLONE_CONFIG_EDGE_USER", "einstein").env("RCLONE_CONFIG_EDGE_PASS", hidden.trim());
        output(command.args(["--config", "/dev/null"]).args(arguments))
    };
    let small = work.join("small");
    fs::create_dir_all(small.join("a folder/ü")).expect("folders");
    for name in ["one", "a folder/two", "a folder/ü/three"] {
        fs::write(small.join(name), name).expect("writes");
    }
    rclone(&["copy", &small.display().to_string(), "edge:small"]);
    let mut listed: Vec<String> =
        rclone(&["lsf", "-R", "--files-only", "edge:small"]).lines().map(str::to_owned).collect();
    listed.sort();
    assert_eq!(listed, ["a folder/two", "a folder/ü/three", "one"]);
    rclone(&["moveto", "edge:small/one", "edge:small/moved"]);
    assert_eq!(rclone(&["cat", "edge:small/moved"]), "one");
    rclone(&["check", &small.join("a folder").display().to_string(), "edge:small/a folder"]);
}

/// What a page does that is served from there: it uploads, lists, and downloads.
const PAGE: &str = r#"<!doctype html><body><script>
(async () => {
  const body = new Uint8Array(8 << 20).fill(7);
  const put = await fetch(location.origin + "/from-a-browser", { method: "PUT", body });
  const list = await (await fetch(location.origin + "/", { method: "PROPFIND", headers: { Depth: "1" } })).text();
  const back = new Uint8Array(await (await fetch(location.origin + "/from-a-browser")).arrayBuffer());
  const same = back.length === body.length && back.every((byte) => byte === 7);
  document.body.textContent = `put ${put.ok}, listed ${list.includes("/from-a-browser")}, same ${same}`;
})();
</script>"#;

fn browser(work: &Path, edge: &str, token: &str) {
    let url = edge.replace("http://", &format!("http://einstein:{token}@"));
    let open = |path: &str| {
        let mut chromium = Command::new("chromium");
        chromium.args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--no-first-run",
            "--disable-background-networking",
        ]);
        chromium.args(["--disable-component-update", "--disable-sync", "--virtual-time-budget=20000", "--dump-dom"]);
        chromium.arg(format!("--user-data-dir={}", work.join("chromium").display())).arg(format!("{url}{path}"));
        output(&mut chromium)
    };
    let list = open("/");
    assert!(list.contains("page.html") && list.contains("small"), "the folder is shown");
    let done = open("/page.html");
    assert!(done.contains("put true, listed true, same true"), "{done}");
    assert_eq!(fs::metadata(work.join("dav/from-a-browser")).expect("it arrived").len(), 8 << 20);
}
