/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * An ELF file that a target may write to while it is read: libelf and libdw see a copy that holds
 * still (base/filecopy.h). A file that many processes have mapped is opened and copied once.
 *
 * libdw's own ways to open a file map it, and are not for a target's.
 */
#ifndef PROC_ELF_FILE_H
#define PROC_ELF_FILE_H

#include <libelf.h>
#include <stdbool.h>
#include <sys/stat.h>

struct elf_file;

/* Opens the program, shared object, debug or object file @fd, as @st has it, which was taken before
 * anything was read of it. Takes @fd over, also when it fails. Returns NULL with errno set:
 * ENOEXEC (no ELF file of this machine), or as filecopy_new has it. */
struct elf_file *elf_file_open(int fd, const struct stat *st);

/* Ends one use. Whatever was made of its Elf is to be ended before. Takes NULL. */
void elf_file_close(struct elf_file *file);

/* Between these two, files that are closed are kept for whoever opens them next: what one process
 * has mapped, the next often has too, and its debug symbols may have to be decompressed. */
void elf_files_keep(void);
void elf_files_drop(void);

/* Returns the file's Elf, valid until it is closed. */
Elf *elf_file_elf(const struct elf_file *file);

/* Returns the same with a reference of its own, for one who ends it with elf_end. */
Elf *elf_file_share_elf(const struct elf_file *file);

/* Whether it is a program or shared object, or a debug file of one; else it is an object file, as
 * what dwz makes. */
bool elf_file_is_loaded(const struct elf_file *file);

/* Whether somebody wrote to the file since it was opened. What had not been read by then is zeros:
 * nothing that was found of late can be believed. */
bool elf_file_is_changed(const struct elf_file *file);

/* Whether some of it could not be read, likewise. */
bool elf_file_is_unreadable(const struct elf_file *file);

#endif
