/** The parts that the first load needs; everything else comes with the screens that use it. */
export { Banner, ErrorState, EmptyState } from "./feedback";
export { Button, IconButton, Link } from "./basic";
export { Page } from "./layout";
