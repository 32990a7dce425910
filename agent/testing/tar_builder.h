#pragma once

#include <fstream>
#include <string>
#include <vector>

#include <archive.h>
#include <archive_entry.h>
#include <gtest/gtest.h>
#include <sys/sysmacros.h>

namespace det::agent {

// One entry of an archive, as hostile as it may be.
struct TarEntry {
  std::string name;
  std::string content;
  mode_t type = AE_IFREG;
  mode_t perm = 0644;
  std::string symlink;
  std::string hardlink;
};

// An archive in a file. Names go in as they are.
inline void WriteTar(const std::string& path,
                     const std::vector<TarEntry>& entries,
                     const char* format = "gnutar") {
  archive* out = archive_write_new();
  archive_write_set_format_by_name(out, format);
  archive_write_set_options(out, "hdrcharset=BINARY");
  ASSERT_EQ(archive_write_open_filename(out, path.c_str()), ARCHIVE_OK);
  for (const TarEntry& e : entries) {
    archive_entry* entry = archive_entry_new();
    archive_entry_set_pathname(entry, e.name.c_str());
    archive_entry_set_filetype(entry, e.type);
    archive_entry_set_perm(entry, e.perm);
    archive_entry_set_uid(entry, 12345);
    if (!e.symlink.empty()) archive_entry_set_symlink(entry, e.symlink.c_str());
    if (!e.hardlink.empty()) archive_entry_set_hardlink(entry, e.hardlink.c_str());
    archive_entry_set_size(entry, static_cast<int64_t>(e.content.size()));
    if (e.type == AE_IFCHR || e.type == AE_IFBLK) archive_entry_set_rdev(entry, makedev(1, 3));
    ASSERT_GE(archive_write_header(out, entry), ARCHIVE_WARN) << archive_error_string(out);
    if (!e.content.empty()) archive_write_data(out, e.content.data(), e.content.size());
    archive_entry_free(entry);
  }
  archive_write_free(out);
}

// Has the header of the first entry say so many bytes, in octal.
inline void ClaimSize(const std::string& path, const std::string& octal) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  std::string header(512, '\0');
  file.read(header.data(), 512);
  header.replace(124, octal.size(), octal);
  header.replace(148, 8, 8, ' ');
  unsigned sum = 0;
  for (const char c : header) sum += static_cast<unsigned char>(c);
  for (size_t i = 0; i < 6; ++i, sum /= 8) header[148 + 5 - i] = static_cast<char>('0' + sum % 8);
  header[148 + 6] = '\0';
  file.seekp(0);
  file.write(header.data(), 512);
}

}  // namespace det::agent
