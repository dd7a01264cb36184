//! Passwords: Argon2id in the PHC string format.
//!
//! Parameters are those that OWASP's password storage cheat sheet names for Argon2id: 19 MiB, two passes, one lane.

use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use tidegate_types::{Error, ErrorCode, Result};

/// Bytes of a salt.
pub const SALT_BYTES: usize = 16;
/// Random bytes of a password for one time.
pub const ONE_TIME_BYTES: usize = 15;
/// Characters of a password, at least and at most.
pub const LENGTH: std::ops::RangeInclusive<usize> = 10..=256;

const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;

fn argon2() -> Result<Argon2<'static>> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None)
        .map_err(|error| Error::internal(format!("parameters of Argon2: {error}")))?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

/// The hash of a password with a random salt. Takes some 20 ms and 19 MiB: not for a thread that others wait for.
///
/// # Errors
/// `INTERNAL` if it cannot be computed.
pub fn hash(password: &str, salt: &[u8; SALT_BYTES]) -> Result<String> {
    let hashed = argon2()?.hash_password_with_salt(password.as_bytes(), salt);
    let hashed = hashed.map_err(|error| Error::internal(format!("hash a password: {error}")))?;
    Ok(hashed.to_string())
}

/// Whether a password has a hash, in a time that does not depend on how much of it is right.
pub fn verify(password: &str, hash: &str) -> bool {
    // The hash says with which parameters it was made.
    argon2().is_ok_and(|argon2| argon2.verify_password(password.as_bytes(), hash).is_ok())
}

/// Refuses a password that is too short, too long, or too simple.
///
/// # Errors
/// `INVALID_OPTION` that says why; never with the password.
pub fn check(password: &str, account: &str) -> Result<()> {
    let refused = |message: String| Err(Error::new(ErrorCode::InvalidOption, message));
    let length = password.chars().count();
    if !LENGTH.contains(&length) {
        let (least, most) = LENGTH.into_inner();
        return refused(format!("the password has {length} characters, not {least} to {most}"));
    }
    let mut different: Vec<char> = password.chars().collect();
    different.sort_unstable();
    different.dedup();
    if different.len() < 5 {
        return refused("the password has less than 5 different characters".to_owned());
    }
    let id = account.rsplit('/').next().unwrap_or(account);
    if id.len() >= 4 && password.to_lowercase().contains(&id.to_lowercase()) {
        return refused("the password has the name of the account in it".to_owned());
    }
    Ok(())
}

/// A password for one time, of random bytes.
pub fn one_time(bytes: &[u8; ONE_TIME_BYTES]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_has_its_hash_and_no_other() {
        let text = hash("correct horse", &[7; SALT_BYTES]).unwrap();
        assert!(text.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{text}");
        assert!(verify("correct horse", &text));
        assert!(!verify("correct horsf", &text) && !verify("", &text));
        assert!(!verify("correct horse", "nonsense") && !verify("x", ""));
        assert_ne!(text, hash("correct horse", &[8; SALT_BYTES]).unwrap());
    }

    #[test]
    fn weak_passwords_are_refused_without_being_repeated() {
        for weak in ["short", "aaaaaaaaaaaa", "annette-2026", &"x1y2z3".repeat(50)] {
            let error = check(weak, "tenants/t/users/annette").unwrap_err();
            assert!(!error.to_string().contains(weak), "{error}");
        }
        assert!(check("correct horse", "tenants/t/users/annette").is_ok());
        assert!(check(&one_time(&[1; ONE_TIME_BYTES]), "a").is_err(), "zeros and ones are simple");
        let bytes = [1, 99, 3, 250, 7, 9, 200, 17, 31, 4, 5, 6, 8, 100, 2];
        assert_eq!(one_time(&bytes).len(), 20);
    }
}
