/*
 * The privcalls of the probe `residue`, by number.
 */
#ifndef RESIDUE_H
#define RESIDUE_H

enum residue_number {
    RESIDUE_SPREAD,  /* (IN from, length) leaves the secret wherever a function may; -> 539 */
    RESIDUE_FAIL,    /* () the same; -> -1 */
    RESIDUE_DIGEST,  /* (IN from, length, OUT to, 16) what the secret is for: a keyed checksum */
    RESIDUE_TRAP,    /* counts who comes; nobody calls it but with a number from PrivUser */
    RESIDUE_TRAPPED, /* () -> how many there were */
    RESIDUE_COUNT,
};

#endif
