/** How many questions are under way at the same time, over HTTP and without it. */
export const CONNECTIONS = 32;
