//! S3-compatible storage for tests: `moto`, a server in Python, with credentials that it checks, and a road to it that
//! can be cut.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::process::{PATIENCE, Program};
use crate::server::free_port;

/// Makes a user who may do everything in S3, a bucket, and says the user's two keys.
const PREPARE: &str = r#"
import boto3, json, sys
url = sys.argv[1]
at = dict(endpoint_url=url, region_name="us-east-1")
iam = boto3.client("iam", aws_access_key_id="nobody", aws_secret_access_key="nothing", **at)
iam.create_user(UserName="openwa")
allow = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
iam.put_user_policy(UserName="openwa", PolicyName="all", PolicyDocument=json.dumps(allow))
key = iam.create_access_key(UserName="openwa")["AccessKey"]
s3 = boto3.client("s3", aws_access_key_id=key["AccessKeyId"], aws_secret_access_key=key["SecretAccessKey"], **at)
s3.create_bucket(Bucket="backups")
print(key["AccessKeyId"], key["SecretAccessKey"])
"#;

/// Removes the bucket with all that is in it.
const VANISH: &str = r#"
import boto3, sys
url, key, secret = sys.argv[1:]
s3 = boto3.resource("s3", endpoint_url=url, region_name="us-east-1", aws_access_key_id=key, aws_secret_access_key=secret)
bucket = s3.Bucket("backups")
bucket.objects.all().delete()
bucket.delete()
"#;

/// A server with one user and the bucket `backups`.
pub struct S3 {
    port: u16,
    key: String,
    secret: String,
    server: Option<Program>,
}

/// Where `tests/setup.sh` puts programs in Python.
fn python(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let target = test.ancestors().find(|folder| folder.join("moto").is_dir());
    let file = target.map(|target| target.join("moto/bin").join(name)).filter(|file| file.is_file());
    file.unwrap_or_else(|| panic!("`{name}` is missing; tests/setup.sh installs it into target/moto"))
}

fn script(text: &str, args: &[&str]) -> String {
    let out =
        Command::new(python("python3")).arg("-c").arg(text).args(args).env("NO_PROXY", "*").output().unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).unwrap()
}

impl S3 {
    /// Starts one.
    #[must_use]
    pub fn start() -> Self {
        let port = free_port();
        let server = Program::start(
            Command::new(python("moto_server"))
                .args(["-H", "127.0.0.1", "-p", &port.to_string()])
                // The three calls that make the user need no rights.
                .env("INITIAL_NO_AUTH_ACTION_COUNT", "3")
                .stderr(Stdio::null()),
        );
        let deadline = Instant::now() + PATIENCE;
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < deadline, "moto did not start");
            std::thread::sleep(Duration::from_millis(50));
        }
        let keys = script(PREPARE, &[&format!("http://127.0.0.1:{port}")]);
        let (key, secret) = keys.trim().split_once(' ').unwrap();
        S3 { port, key: key.to_owned(), secret: secret.to_owned(), server: Some(server) }
    }

    /// Its port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// A repository in its bucket, by the given port.
    #[must_use]
    pub fn repo(&self, port: u16) -> String {
        format!("s3:http://127.0.0.1:{port}/backups/openwa")
    }

    /// The environment with the user's keys.
    #[must_use]
    pub fn environment(&self) -> [(&'static str, &str); 4] {
        [
            ("AWS_ACCESS_KEY_ID", &self.key),
            ("AWS_SECRET_ACCESS_KEY", &self.secret),
            ("AWS_REGION", "us-east-1"),
            ("NO_PROXY", "127.0.0.1"),
        ]
    }

    /// Removes the bucket.
    pub fn vanish(&self) {
        script(VANISH, &[&format!("http://127.0.0.1:{}", self.port), &self.key, &self.secret]);
    }
}

impl Drop for S3 {
    fn drop(&mut self) {
        if let Some(server) = self.server.take() {
            let _ = server.kill();
        }
    }
}

/// A road to a server of this machine that is cut after so many bytes from the client.
pub struct Road {
    /// Where it begins.
    pub port: u16,
    left: Arc<AtomicU64>,
}

impl Road {
    /// Builds one to a port.
    #[must_use]
    pub fn to(port: u16, bytes: u64) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let road =
            Road { port: listener.local_addr().unwrap().port(), left: Arc::new(AtomicU64::new(bytes)) };
        let left = Arc::clone(&road.left);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if left.load(Ordering::Relaxed) == 0 {
                    // Dropped at once, as by a firewall that has changed its mind.
                    continue;
                }
                let Ok(server) = TcpStream::connect(("127.0.0.1", port)) else { continue };
                let (back, forth) =
                    ((server.try_clone().unwrap(), client.try_clone().unwrap()), (client, server));
                let left = Arc::clone(&left);
                std::thread::spawn(move || carry(forth.0, forth.1, Some(&left)));
                std::thread::spawn(move || carry(back.0, back.1, None));
            }
        });
        road
    }

    /// Repairs it.
    pub fn repair(&self) {
        self.left.store(u64::MAX, Ordering::Relaxed);
    }
}

fn carry(mut from: TcpStream, mut to: TcpStream, left: Option<&AtomicU64>) {
    let mut buffer = vec![0; 16 << 10];
    while let Ok(n @ 1..) = from.read(&mut buffer) {
        let cut = left.is_some_and(|left| {
            let before = left.load(Ordering::Relaxed);
            left.store(before.saturating_sub(n as u64), Ordering::Relaxed);
            before < n as u64
        });
        if cut || to.write_all(&buffer[..n]).is_err() {
            break;
        }
    }
    let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
}
