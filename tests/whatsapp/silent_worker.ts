/**
 * A worker that answers nothing.
 * @module
 */
export {};
