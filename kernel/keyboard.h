/*
 * The PC keyboard. What is typed goes, as ASCII, to console_input_byte; keys without a character
 * (arrows, F1) are not passed on.
 */
#ifndef KEYBOARD_H
#define KEYBOARD_H

/* Begins to listen. Needs the PIC set up. */
void keyboard_init(void);

#endif
