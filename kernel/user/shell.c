/*
 * The shell: reads a line, does what it says, says what went wrong. A line's first word is a
 * command of the table below, or else the name of a program to run.
 */
#include "library.h"

enum {
    LINE_SIZE = 256, /* of a line with its '\n', which becomes a NUL */
    ENTRIES_MAX = 64,
    PIECE_SIZE = 512,
};

typedef struct {
    const char *name;
    const char *usage; /* what follows the name */
    const char *purpose;
    void (*run)(char *argument);
} command_t;

/* What an error means to who types at a shell. */
static const char *explanation(int error)
{
    switch (error) {
    case E_MEMORY:
        return "out of memory";
    case E_NOT_FOUND:
        return "there is no such file";
    case E_EXISTS:
        return "there is already a file of that name";
    case E_FULL:
        return "no room is left";
    case E_NAME:
        return "a name has 1 to 31 characters";
    case E_IO:
        return "the disk does not answer";
    case E_CORRUPT:
        return "the filesystem on the disk is damaged";
    case E_NO_PROCESS:
        return "there is no such process";
    case E_FORMAT:
        return "not a program";
    default:
        return "refused by the kernel";
    }
}

static void complain(const char *command, const char *subject, int error)
{
    print_format("%s: %s: %s (%s)\n", command, subject, explanation(error), error_name(error));
}

/* Cuts the first word off a line: ends it with a NUL and returns what follows, without spaces. */
static char *cut_word(char *line)
{
    while (*line != '\0' && *line != ' ') {
        line++;
    }
    while (*line == ' ') {
        *line = '\0';
        line++;
    }
    return line;
}

static void files(char *argument)
{
    struct file_entry entries[ENTRIES_MAX];
    int count = list_files(entries, ENTRIES_MAX);

    (void)argument;
    if (count < 0) {
        complain("files", "disk", count);
        return;
    }
    for (int i = 0; i < count; i++) {
        print_format("%8u  %s\n", entries[i].length, entries[i].name);
    }
    if (count == ENTRIES_MAX) {
        print("(only so many are listed)\n");
    }
}

/* Shows bytes as text; what is no text, a program for example, shows as dots. */
static void print_text(char *bytes, int length)
{
    for (int i = 0; i < length; i++) {
        if ((bytes[i] < ' ' || bytes[i] > '~') && bytes[i] != '\n' && bytes[i] != '\t') {
            bytes[i] = '.';
        }
    }
    write(bytes, (size_t)length);
}

static void show(char *name)
{
    char piece[PIECE_SIZE];
    char last = '\n';
    uint32_t offset = 0;
    int length;

    while ((length = read_file(name, piece, offset, PIECE_SIZE)) > 0) {
        print_text(piece, length);
        last = piece[length - 1];
        offset += (uint32_t)length;
    }
    if (last != '\n') {
        print("\n");
    }
    if (length < 0) {
        complain("show", name, length);
    }
}

static void write_text(char *name)
{
    char *text = cut_word(name);
    size_t length = strlen(text);

    text[length] = '\n'; /* in place of the NUL: a text file ends its last line */
    int error = create_file(name, text, length + 1);

    if (error != OK) {
        complain("write", name, error);
    }
}

static void delete (char *name)
{
    int error = delete_file(name);

    if (error != OK) {
        complain("delete", name, error);
    }
}

static const char *state_name(uint32_t state)
{
    static const char *const names[] = {
        [READY] = "ready",     [RUNNING] = "running", [SLEEPING] = "sleeping",
        [WAITING] = "waiting", [ZOMBIE] = "zombie",
    };
    return state < sizeof(names) / sizeof(names[0]) ? names[state] : "unknown";
}

static void processes(char *argument)
{
    struct process_entry entries[ENTRIES_MAX];
    int count = list_processes(entries, ENTRIES_MAX);

    (void)argument;
    print("   pid  parent  state     name\n");
    for (int i = 0; i < count; i++) {
        print_format("%6u  %6u  %-8s  %s\n", entries[i].pid, entries[i].parent,
                     state_name(entries[i].state), entries[i].name);
    }
}

static void kill_process(char *number)
{
    uint32_t pid = parse_number(number);

    if (pid == 0) {
        print_format("kill: %s: not a process's number\n", number);
        return;
    }
    if (pid == (uint32_t)getpid()) {
        print("kill: that is this shell\n");
        return;
    }
    int error = kill(pid);

    if (error != OK) {
        complain("kill", number, error);
    }
}

static void shut_down(char *argument)
{
    (void)argument;
    shutdown(0);
}

static void help(char *argument);

static const command_t COMMANDS[] = {
    {"help", "", "shows this list", help},
    {"files", "", "lists the files on the disk", files},
    {"show", "FILE", "shows what is in a file", show},
    {"write", "FILE TEXT", "makes a new file with a line of text", write_text},
    {"delete", "FILE", "deletes a file", delete},
    {"processes", "", "lists the processes", processes},
    {"kill", "PID", "ends a process", kill_process},
    {"shutdown", "", "stops the machine", shut_down},
};
enum { COMMANDS_COUNT = sizeof(COMMANDS) / sizeof(COMMANDS[0]) };

static void help(char *argument)
{
    (void)argument;
    for (int i = 0; i < COMMANDS_COUNT; i++) {
        print_format("%-10s%-11s%s\n", COMMANDS[i].name, COMMANDS[i].usage, COMMANDS[i].purpose);
    }
    print("PROGRAM [ARGUMENT] [&]  runs a program; with & it runs beside the shell\n");
}

static void report_end(const char *name, uint32_t pid, int status)
{
    if (status == EXIT_KILLED) {
        print_format("%s (%u): killed\n", name, pid);
    } else if (status <= EXIT_FAULT(0) && status > EXIT_KILLED) {
        print_format("%s (%u): ended by exception %d\n", name, pid, EXIT_FAULT(0) - status);
    } else if (status != 0) {
        print_format("%s (%u): exit status %d\n", name, pid, status);
    }
}

/* Waits for the children that have ended already, so that none stays a zombie. */
static void collect_children(void)
{
    struct process_entry entries[ENTRIES_MAX];
    int count = list_processes(entries, ENTRIES_MAX);
    int status;

    for (int i = 0; i < count; i++) {
        if (entries[i].parent == (uint32_t)getpid() && entries[i].state == ZOMBIE &&
            wait(entries[i].pid, &status) > 0) {
            print_format("%s (%u): done\n", entries[i].name, entries[i].pid);
            report_end(entries[i].name, entries[i].pid, status);
        }
    }
}

/* Removes an `&` at the end of a command's argument, and the spaces before it. */
static bool cut_ampersand(char *argument)
{
    size_t length = strlen(argument);

    if (length == 0 || argument[length - 1] != '&') {
        return false;
    }
    do {
        length--;
        argument[length] = '\0';
    } while (length > 0 && argument[length - 1] == ' ');
    return true;
}

static void run_program(const char *name, char *argument)
{
    bool in_background = cut_ampersand(argument);
    int pid = spawn(name, argument);
    int status;

    if (pid == E_NOT_FOUND) {
        print_format("%s: no such command or program; help lists the commands\n", name);
    } else if (pid < 0) {
        complain("run", name, pid);
    } else if (in_background) {
        print_format("%s (%d): started\n", name, pid);
    } else if (wait((uint32_t)pid, &status) > 0) {
        report_end(name, (uint32_t)pid, status);
    }
}

/* Removes the spaces around a line. */
static char *trim(char *line)
{
    size_t length = strlen(line);

    while (length > 0 && line[length - 1] == ' ') {
        length--;
        line[length] = '\0';
    }
    while (*line == ' ') {
        line++;
    }
    return line;
}

static const command_t *find_command(const char *name)
{
    for (int i = 0; i < COMMANDS_COUNT; i++) {
        if (strcmp(name, COMMANDS[i].name) == 0) {
            return &COMMANDS[i];
        }
    }
    return NULL;
}

static void run_line(char *line)
{
    char *name = trim(line);
    char *argument = cut_word(name);
    const command_t *command = find_command(name);

    if (name[0] == '\0') {
        return;
    }
    if (command == NULL) {
        run_program(name, argument);
    } else if (command->usage[0] != '\0' && argument[0] == '\0') {
        print_format("usage: %s %s\n", name, command->usage);
    } else {
        command->run(argument);
    }
}

int main(const char *argument)
{
    char line[LINE_SIZE];

    (void)argument;
    print("shell ready\n");
    while (true) {
        collect_children();
        print("539> ");
        int length = read(line, LINE_SIZE);

        if (length > 0) {
            line[length - 1] = '\0';
            run_line(line);
        } else {
            print_format("shell: a line has at most %d characters\n", LINE_SIZE - 1);
        }
    }
}
