/*
 * The heartbeat service's loop. The flaw is the one of OpenSSL's Heartbleed (CVE-2014-0160): the
 * client says how long its text is, and is believed.
 */
#include "heartbeat.h"
#include "library.h"

enum { LINE_SIZE = 256 };

/* What follows the number that a line begins with, and one space. */
static const char *text_of(const char *line)
{
    while (*line >= '0' && *line <= '9') {
        line++;
    }
    return *line == ' ' ? line + 1 : line;
}

static void respond(const char *bytes, uint32_t length, uint32_t seal)
{
    char text[2 * HEARTBEAT_CLAIM_MAX + 1];
    char *end = text;

    for (uint32_t i = 0; i < length; i++) {
        *end++ = "0123456789abcdef"[(uint8_t)bytes[i] >> 4];
        *end++ = "0123456789abcdef"[bytes[i] & 15];
    }
    *end = '\0';
    print_format("response %s mac %08x\n", text, seal);
}

static void serve_line(const char *line, char *record, heartbeat_seal_t seal)
{
    const uint32_t claimed = parse_number(line);
    const char *text = text_of(line);
    const size_t given = strlen(text);

    memcpy(record, text, given < HEARTBEAT_RECORD_SIZE ? given : HEARTBEAT_RECORD_SIZE);
    /* Here something is missing: a claim of more than was given. */
    const uint32_t size = claimed < HEARTBEAT_CLAIM_MAX ? claimed : HEARTBEAT_CLAIM_MAX;
    respond(record, size, seal(record, size));
}

void heartbeat_serve(char *record, heartbeat_seal_t seal)
{
    char line[LINE_SIZE];
    int length;

    print("heartbeat ready\n");
    while ((length = read(line, sizeof line)) != 1) {
        if (length > 0) {
            line[length - 1] = '\0'; /* in place of the '\n' */
            serve_line(line, record, seal);
        }
    }
}
