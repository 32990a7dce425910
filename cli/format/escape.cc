#include "cli/format/escape.h"

#include "cli/format/width.h"

namespace det::cli {
namespace {

void AppendHex(std::string& out, char32_t code, int digits) {
  static constexpr char kHex[] = "0123456789abcdef";
  for (int shift = (digits - 1) * 4; shift >= 0; shift -= 4) {
    out.push_back(kHex[(code >> shift) & 15]);
  }
}

bool IsControl(char32_t code) {
  return code < 0x20 || (code >= 0x7f && code <= 0x9f);
}

bool TurnsText(char32_t code) {
  return code == 0x061c || code == 0x200e || code == 0x200f || (code >= 0x2028 && code <= 0x202e) ||
         (code >= 0x2066 && code <= 0x2069);
}

bool Allowed(char32_t code, Escape kind) {
  if (code == '\t') return kind != Escape::kLine;
  return code == '\n' && kind == Escape::kProse;
}

void AppendEscaped(std::string& out, char32_t code) {
  if (code == '\n') {
    out.append("\\n");
  } else if (code == '\r') {
    out.append("\\r");
  } else if (code == '\t') {
    out.append("\\t");
  } else if (code < 0x80) {
    out.append("\\x");
    AppendHex(out, code, 2);
  } else if (code < 0x10000) {
    out.append("\\u");
    AppendHex(out, code, 4);
  } else {
    out.append("\\U");
    AppendHex(out, code, 8);
  }
}

void AppendOne(std::string& out, std::string_view bytes, const Decoded& at) {
  if (at.valid) {
    AppendEscaped(out, at.code);
    return;
  }
  out.append("\\x");
  AppendHex(out, static_cast<unsigned char>(bytes[0]), 2);
}

}  // namespace

std::string EscapeControls(std::string_view text, Escape kind, bool utf8) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const Decoded at = DecodeUtf8(text);
    const bool plain =
        at.valid && !IsControl(at.code) && !TurnsText(at.code) && (utf8 || at.code < 0x80);
    if (plain || (at.valid && Allowed(at.code, kind))) {
      out.append(text.substr(0, at.bytes));
    } else {
      AppendOne(out, text, at);
    }
    text.remove_prefix(at.bytes);
  }
  return out;
}

std::string ToValidUtf8(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const Decoded at = DecodeUtf8(text);
    if (at.valid) {
      out.append(text.substr(0, at.bytes));
    } else {
      AppendUtf8(out, 0xfffd);
    }
    text.remove_prefix(at.bytes);
  }
  return out;
}

}  // namespace det::cli
