//! One compressed body in the making.

use std::io::{self, Write};

use brotli::CompressorWriter;
use brotli::enc::BrotliEncoderParams;
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use zstd::stream::raw::CParameter;

use crate::content::Coding;

/// What still costs less time than it saves on most ways.
const GZIP_LEVEL: u32 = 5;
const BROTLI_QUALITY: i32 = 4;
const ZSTD_LEVEL: i32 = 3;
/// How far back repetitions are found: the memory of a stream is a few times as much.
const WINDOW_LOG: u32 = 17;

/// An encoder that writes to memory.
pub(super) enum Encoder {
    Gzip(GzEncoder<Vec<u8>>),
    Brotli(Box<CompressorWriter<Vec<u8>>>),
    Zstd(zstd::Encoder<'static, Vec<u8>>),
}

impl Encoder {
    pub(super) fn new(coding: Coding) -> io::Result<Encoder> {
        Ok(match coding {
            Coding::Gzip => {
                let level = Compression::new(GZIP_LEVEL);
                Encoder::Gzip(GzEncoder::new(Vec::new(), level))
            }
            Coding::Brotli => {
                let params = BrotliEncoderParams {
                    quality: BROTLI_QUALITY,
                    lgwin: WINDOW_LOG as i32,
                    ..BrotliEncoderParams::default()
                };
                let writer = CompressorWriter::with_params(Vec::new(), 4096, &params);
                Encoder::Brotli(Box::new(writer))
            }
            Coding::Zstd => {
                let mut encoder = zstd::Encoder::new(Vec::new(), ZSTD_LEVEL)?;
                encoder.set_parameter(CParameter::WindowLog(WINDOW_LOG))?;
                Encoder::Zstd(encoder)
            }
        })
    }

    /// Takes content; what comes of it may come later.
    pub(super) fn write(&mut self, data: &[u8]) -> io::Result<Bytes> {
        self.writer().write_all(data)?;
        Ok(self.take())
    }

    /// Everything that has been taken so far can be read from what comes.
    pub(super) fn flush(&mut self) -> io::Result<Bytes> {
        self.writer().flush()?;
        Ok(self.take())
    }

    /// What is left, with the mark of the end.
    pub(super) fn finish(self) -> io::Result<Bytes> {
        let rest = match self {
            Encoder::Gzip(encoder) => encoder.finish()?,
            Encoder::Brotli(writer) => writer.into_inner(),
            Encoder::Zstd(encoder) => encoder.finish()?,
        };
        Ok(rest.into())
    }

    fn writer(&mut self) -> &mut dyn Write {
        match self {
            Encoder::Gzip(encoder) => encoder,
            Encoder::Brotli(writer) => &mut **writer,
            Encoder::Zstd(encoder) => encoder,
        }
    }

    fn take(&mut self) -> Bytes {
        let out = match self {
            Encoder::Gzip(encoder) => encoder.get_mut(),
            Encoder::Brotli(writer) => writer.get_mut(),
            Encoder::Zstd(encoder) => encoder.get_mut(),
        };
        std::mem::take(out).into()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    fn decoded(coding: Coding, bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        // What is not complete yet is an error at the end, after everything before it.
        let _ = match coding {
            Coding::Gzip => flate2::read::GzDecoder::new(bytes).read_to_end(&mut out),
            Coding::Brotli => brotli::Decompressor::new(bytes, 4096).read_to_end(&mut out),
            Coding::Zstd => zstd::Decoder::new(bytes)
                .expect("a decoder")
                .read_to_end(&mut out),
        };
        out
    }

    #[test]
    fn what_was_flushed_can_be_read() {
        for coding in Coding::ALL {
            let mut encoder = Encoder::new(coding).expect("it can be made");
            let mut sent = Vec::new();
            let mut whole = Vec::new();
            for n in 0..50 {
                let piece = format!("line {n} of {}\n", "some text ".repeat(n));
                whole.extend_from_slice(piece.as_bytes());
                sent.extend_from_slice(&encoder.write(piece.as_bytes()).expect("memory"));
                sent.extend_from_slice(&encoder.flush().expect("memory"));
                assert_eq!(decoded(coding, &sent), whole, "{coding:?} {n}");
            }
            sent.extend_from_slice(&encoder.finish().expect("memory"));
            assert_eq!(decoded(coding, &sent), whole, "{coding:?}");
            assert!(sent.len() < whole.len(), "{coding:?} {}", sent.len());
        }
    }
}
