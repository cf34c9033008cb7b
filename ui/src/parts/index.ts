/** All parts, for screens: `import { Button, Page } from "../parts"`. */
export * from "./basic";
export * from "./chart";
export * from "./edit";
export * from "./feedback";
export * from "./fields";
export { Icon, type IconName, Mark } from "./icons";
export * from "./layout";
export * from "./more";
export * from "./overlay";
export * from "./table";
