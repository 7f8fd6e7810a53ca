/** A logger of Baileys that says nothing. */
export const quiet = Object.fromEntries(['trace', 'debug', 'info', 'warn', 'error'].map((level) => [level, () => {}]))
quiet.child = () => quiet
