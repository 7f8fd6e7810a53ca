//! Hides the functions that `crc-fast`, a dependency of the S3 client, would export from every shared library it is linked
//! into: the interface is `openwa_*` and nothing else. ELF's linkers take the narrowest visibility that any object file
//! asks for. `tests/c` compares what is exported, so a new version with other names is noticed there.

macro_rules! hidden {
    ($($name:literal)*) => { std::arch::global_asm!($(concat!(".globl ", $name, "\n.hidden ", $name)),*); };
}

hidden! {
    "crc_fast_checksum"
    "crc_fast_checksum_combine"
    "crc_fast_checksum_combine_with_params"
    "crc_fast_checksum_file"
    "crc_fast_checksum_file_with_params"
    "crc_fast_checksum_with_params"
    "crc_fast_clear_error"
    "crc_fast_crc32_iscsi"
    "crc_fast_crc32_iso_hdlc"
    "crc_fast_crc64_nvme"
    "crc_fast_digest_combine"
    "crc_fast_digest_finalize"
    "crc_fast_digest_finalize_reset"
    "crc_fast_digest_free"
    "crc_fast_digest_get_amount"
    "crc_fast_digest_get_state"
    "crc_fast_digest_new"
    "crc_fast_digest_new_with_init_state"
    "crc_fast_digest_new_with_params"
    "crc_fast_digest_reset"
    "crc_fast_digest_update"
    "crc_fast_error_message"
    "crc_fast_get_calculator_target"
    "crc_fast_get_custom_params"
    "crc_fast_get_last_error"
    "crc_fast_get_version"
}
